/** The template against its site; nothing without `--site`. */
import type { Path } from '#engine/source.ts'
import type { Rule } from '../rule.ts'
import type { SiteAnswer } from '../site.ts'
import type { Subject } from '../subject.ts'
import { at, SOCKET } from '../subject.ts'

/** What the site says for «there is no such thing». */
const absent = new Set([404, 410, 501])

function* answers({ data, site }: Subject): Generator<{ path: Path; what: string; answer: SiteAnswer }> {
  if (site === undefined) return
  for (const [shape, answer] of site) {
    if (shape === '') yield { path: ['page', 'path'], what: `GET ${data.page.path}`, answer }
    else {
      const { method, path } =
        shape === SOCKET ? { method: 'GET', path: data.socket!.request.path } : data.shapes[shape]!.request
      yield { path: [...at(shape, 'request'), 'path'], what: `${method} ${path}`, answer }
    }
  }
}

export const siteRules: readonly Rule[] = [
  {
    id: 'path-the-site-lacks',
    severity: 'error',
    what: 'The site has nothing at this path (with `--site`).',
    why: 'Members’ traffic goes where no visitor’s does, and a prober who asks there gets «not found»: he has found the gateway.',
    mend: 'Use a path that the site answers, by the same application.',
    example: { good: '  path: /\n', bad: '  path: /gone\n' },
    *check(subject) {
      for (const { path, what, answer } of answers(subject)) {
        if (absent.has(answer.status)) yield { path, found: `${what}: ${answer.status}` }
      }
    },
  },
  {
    id: 'method-the-site-refuses',
    severity: 'error',
    what: 'The site does not take this method there (with `--site`).',
    why: 'A static site answers every POST with 405; members whose POSTs succeed are told apart by the status alone.',
    mend: 'Put an application behind the path, or use a GET.',
    example: { good: 'path: /api/messages', bad: 'path: /static/messages' },
    *check(subject) {
      for (const { path, what, answer } of answers(subject)) {
        if (answer.status === 405) yield { path, found: `${what}: ${answer.status}` }
      }
    },
  },
]
