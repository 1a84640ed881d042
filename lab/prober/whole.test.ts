import test from 'ava'
import { isWhole } from './whole.ts'

const octets = (text: string): Uint8Array => Buffer.from(text, 'latin1')

const head = (...fields: string[]): string => ['HTTP/1.1 200 OK', 'Server: nginx', ...fields, '', ''].join('\r\n')
const pieces = head('Content-Type: text/plain', 'Connection: keep-alive', 'Transfer-Encoding: chunked')

const answers: Readonly<Record<string, string>> = {
  'with its length': `${head('Content-Length: 5')}a\r\n\r\n`,
  'with nothing in it': head('Content-Length: 0'),
  'with its length, named otherwise': `${head('content-length:5', 'Connection: close')}hello`,
  'in chunks': `${pieces}5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n`,
  'in no chunk but the last': `${pieces}0\r\n\r\n`,
  'in chunks that hold the end of another': `${pieces}7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n`,
  'in chunks with extensions, zeros and capitals': `${pieces}00A;a="b"\r\n0123456789\r\n000;c\r\n\r\n`,
  'in chunks, with trailers': `${pieces}1\r\na\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n`,
  'in chunks, whose head names them otherwise': `${head('transfer-encoding:Chunked')}1\r\na\r\n0\r\n\r\n`,
}

for (const [what, answer] of Object.entries(answers)) {
  test(`an answer ${what} is whole with its last octet, and cut anywhere is not`, (t) => {
    const all = octets(answer)
    for (let length = 0; length < all.length; length++) t.false(isWhole(all.subarray(0, length)), `${length} octets`)
    t.true(isWhole(all))
  })
}

test('octets of a larger buffer are read from where they begin', (t) => {
  const answer = octets(answers['in chunks']!)
  const larger = new Uint8Array(answer.length + 9)
  larger.set(answer, 4)
  t.true(isWhole(larger.subarray(4, 4 + answer.length)))
})

test('an answer that has no end of its own stops the clock’s run', (t) => {
  t.throws(() => isWhole(octets(head('Connection: close'))), { message: /without its length/ })
  t.throws(() => isWhole(octets(`${pieces}hello\r\n`)), { message: /chunk without its length/ })
  t.throws(() => isWhole(octets(`${pieces}\r\n`)), { message: /chunk without its length/ })
  t.throws(() => isWhole(octets(`${pieces}2\r\nhello\r\n0\r\n\r\n`)), { message: /longer than it says/ })
})
