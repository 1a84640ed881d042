import test from 'ava'
import fc from 'fast-check'
import { numberedName, safeFileName } from './file-name.ts'

const names: readonly (readonly [string, string, string])[] = [
  ['plan.pdf', 'plan.pdf', 'an ordinary name'],
  ['Übung 3.odt', 'Übung 3.odt', 'letters of any script'],
  ['家族.jpg', '家族.jpg', 'letters of any script'],
  ['../../.ssh/authorized_keys', '_.._.ssh_authorized_keys', 'a path'],
  ['/etc/passwd', '_etc_passwd', 'an absolute path'],
  ['..\\..\\boot.ini', '_.._boot.ini', 'a path of Windows'],
  ['C:\\x', 'C__x', 'a drive'],
  ['a:stream', 'a_stream', 'a stream of NTFS'],
  ['..', 'file', 'the folder above'],
  ['.', 'file', 'the folder'],
  ['', 'file', 'nothing'],
  ['   ', 'file', 'space'],
  ['.bashrc', 'bashrc', 'a hidden file'],
  ['-rf', 'rf', 'an option'],
  ['name. . ', 'name', 'an end that Windows drops'],
  ['a\u0000b', 'ab', 'zero'],
  ['a\nb\u001b[2J', 'ab[2J', 'control characters'],
  ['photo\u202egpj.exe', 'photogpj.exe', 'a turn of direction'],
  ['a\u2066b\u2069\u200f', 'ab', 'isolates and marks'],
  ['pay\u200bpal\ufeff', 'paypal', 'zero width'],
  ['a\u2028b', 'ab', 'a line separator'],
  ['a\ud800b', 'a\ufffdb', 'half a pair'],
  ['a\ue000b', 'ab', 'a private character'],
  ['e\u0301', 'é', 'two spellings of a letter'],
  ['con', '_con', 'a device'],
  ['LPT1.txt', '_LPT1.txt', 'a device with an ending'],
  ['console.txt', 'console.txt', 'no device'],
  ['a\t\u3000b', 'a b', 'space of all kinds'],
]

for (const [name, safe, what] of names) {
  test(`${what}: ${JSON.stringify(name)}`, (t) => {
    t.is(safeFileName(name), safe)
  })
}

test('a long name keeps its ending, and characters stay whole', (t) => {
  const long = safeFileName(`${'ü'.repeat(200)}.pdf`)
  t.is(long, `${'ü'.repeat(62)}.pdf`)
  t.is(safeFileName(`${'a'.repeat(20)}.${'b'.repeat(300)}`).length, 128)
})

test('whatever comes: harmless, and left alone the second time', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
      const safe = safeFileName(name)
      t.true(safe.length > 0 && Buffer.byteLength(safe) <= 128)
      t.notRegex(safe, /[/\\\p{C}\p{Zl}\p{Zp}:*?"<>|]|^[\s.-]|[\s.]$/u)
      t.is(safeFileName(safe), safe)
    }),
    { numRuns: process.env.SOTTO_LONG === '1' ? 100_000 : 500 },
  )
})

test('numbers before the ending', (t) => {
  t.deepEqual(
    [numberedName('a.pdf', 1), numberedName('a.pdf', 2), numberedName('a.tar.gz', 3), numberedName('name', 2)],
    ['a.pdf', 'a (2).pdf', 'a.tar (3).gz', 'name (2)'],
  )
})
