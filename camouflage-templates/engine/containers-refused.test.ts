/** What is refused of containers, packets, lines and tokens: by the file format and by what cannot be written soundly. */
import test from 'ava'
import type { Bad } from '../refusal-support.ts'
import { bases, checkRefusal, refusalOf } from '../refusal-support.ts'

const at = 'shapes.'
const json = 'valid JSON once the holes are filled'
const bad: Record<string, Bad> = {
  'an algorithm that would show': {
    base: 'video',
    from: 'alg: dir',
    to: 'alg: none',
    path: 'holes.ticket.jwe.alg',
    expected: 'dir, A128KW or A256KW',
  },
  'a token without room for its parts': {
    base: 'containers',
    from: 'exact: 80',
    to: 'exact: 52',
    line: '    request:',
    section: '  form:',
    path: `${at}form.request`,
    expected: 'at least 53 octets in {{ticket}}, not 52',
  },
  'a name with a path': {
    base: 'containers',
    from: 'name: "{{kind}}-{{count}}.bin"',
    to: 'name: "../{{kind}}-{{count}}.bin"',
    path: `${at}lines.response.body.zip.name`,
    expected: 'the name of a file, 1 to 128 letters, digits and . _ -',
  },
  'a day that does not exist': {
    base: 'containers',
    from: '["1980-01-01", "2107-12-31"]',
    to: '["1980-01-01", "2107-02-31"]',
    line: '      body:',
    path: `${at}lines.response.body`,
    expected: 'days like 2025-01-31, from 1980 to 2107',
  },
  'an archive of another type': {
    base: 'containers',
    from: '[[content-type, application/zip]]',
    to: '[[content-type, application/gzip]]',
    path: `${at}lines.response.headers.0.1`,
    expected: 'application/zip',
  },
  'a form with a file of another type': {
    base: 'containers',
    from: '[content-type, video/mp4]',
    to: '[content-type, image/png]',
    path: `${at}form.response.body.multipart.parts.0.headers`,
    expected: 'content-type audio/mp4 or video/mp4 or video/iso.segment',
  },
  'a part of two kinds': {
    base: 'containers',
    from: '[content-type, video/mp4]]\n',
    to: '[content-type, video/mp4]]\n              raw: true\n',
    line: '            - headers: [[name, a]',
    path: `${at}form.response.body.multipart.parts.0`,
    expected: 'one of the keys text, raw, png, zip, fmp4',
  },
  'samples that do not add up': {
    base: 'containers',
    from: 'sample: [64, 64]',
    to: 'sample: [65, 65]',
    line: '            - headers: [[name, a]',
    path: `${at}form.response.body.multipart.parts.0`,
    expected: 'sizes of samples that add up to 128',
  },
  'samples of no size': {
    base: 'containers',
    from: 'sample: [64, 64]',
    to: 'sample: [1, 64]',
    path: `${at}form.response.body.multipart.parts.0.fmp4.sample.0`,
    expected: 'a whole number from 64 to 65535',
  },
  'a segment of half a block': {
    base: 'video',
    from: 'classes: [192, 768, 1520,',
    to: 'classes: [192, 768, 1536,',
    line: '      body:',
    path: `${at}part.response.body`,
    expected: 'lengths of encrypted segments, such as 1520 and 1696 and not 1536',
  },
  'a segment of the other container': {
    base: 'video',
    from: 'container: ts',
    to: 'container: fmp4',
    line: '        - [content-type, video/mp2t]',
    path: `${at}part.response.headers.0.1`,
    expected: 'video/mp4 or audio/mp4 or video/iso.segment',
  },
  'a playlist that is none': {
    base: 'video',
    from: '#EXTM3U',
    to: '#EXTINF',
    line: '        text:',
    path: `${at}piece.response.body.text`,
    expected: 'a playlist that begins with #EXTM3U',
  },
  'a list of values with line breaks in a header': {
    base: 'gallery',
    from: 'between: ", "',
    to: 'between: "\\n"',
    line: '        - [if-none-match',
    path: `${at}photo.request.headers.0.1`,
    expected: 'no line breaks',
  },
  'lines that are no JSON': {
    base: 'containers',
    from: '"{{sealedHex}}",{{count}}]',
    to: '"{{sealedHex}}",{{count}}',
    path: `${at}lines.request.body.ndjson.line`,
    expected: json,
  },
  'a first line that is no JSON': {
    base: 'containers',
    from: '"at":{{count}}}',
    to: 'at:{{count}}}',
    path: `${at}lines.request.body.ndjson.first`,
    expected: json,
  },
  'lines without payload': {
    base: 'containers',
    from: '["{{kind}}",{{count}},"{{sealedHex}}",{{count}}]',
    to: '["{{kind}}",{{count}},"",{{count}}]',
    line: '      body:',
    path: `${at}lines.request.body`,
    expected: 'one place for the payload in a line, and decoration',
  },
  'lines with the token': {
    base: 'containers',
    from: '["{{kind}}",{{count}},"{{sealedHex}}",{{count}}]',
    to: '["{{token}}",{{count}},"{{sealedHex}}",{{count}}]',
    line: '      body:',
    path: `${at}lines.request.body`,
    expected: 'one place for the payload in a line, and decoration',
  },
  'lines with the payload twice': {
    base: 'containers',
    from: '"{{sealedHex}}",{{count}}]',
    to: '"{{sealedHex}}","{{sealedHex}}"]',
    line: '      body:',
    path: `${at}lines.request.body`,
    expected: '{{sealedHex}} once in a line',
  },
  'lines that could be read in two ways': {
    base: 'containers',
    from: '"{{sealedHex}}",{{count}}]',
    to: '"{{sealedHex}}{{kind}}",{{count}}]',
    path: `${at}lines.request.body.ndjson.line`,
    expected: 'behind {{sealedHex}} a character that cannot be part of it',
  },
  'very many lines': {
    base: 'containers',
    from: 'bytes: 256\n',
    to: 'bytes: 255\n',
    path: `${at}lines.request.body.ndjson.bytes`,
    expected: 'a whole number from 256 to 262144',
  },
  'a packet that is none': {
    base: 'socketio',
    from: `'42["here",{{here}}]'`,
    to: `'5["here",{{here}}]'`,
    path: `${at}poll.response.body.engineio.packets.0`,
    expected: '2, 3, 6, or 42 and a JSON array',
  },
  'an event with a quote in its name': {
    base: 'socketio',
    from: 'event: sync',
    to: `event: 'sync"'`,
    path: `${at}poll.response.body.engineio.event`,
    expected: 'the name of an event, 1 to 64 letters, digits and _ : . -',
  },
  'more attachments than a receiver takes': {
    base: 'socketio',
    from: 'bytes: 49152',
    to: 'bytes: 19455',
    line: '      body:',
    path: `${at}poll.response.body`,
    expected: 'at most 10 attachments for 194560 octets',
  },
  'a field beyond what protobuf has for us': {
    base: 'containers',
    from: 'field: 2000',
    to: 'field: 19000',
    path: `${at}packets.response.body.grpcWeb.field`,
    expected: 'a whole number from 1 to 18999',
  },
}

for (const [name, each] of Object.entries(bad)) {
  test(`refused: ${name}`, (t) => checkRefusal(t, each))
}

test('the templates that are changed here are sound', (t) => {
  for (const [name, text] of Object.entries(bases)) t.is(refusalOf(text), undefined, name)
})
