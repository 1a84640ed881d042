/** Questions of the DNS: a name alone carries data out. */
import dns from 'node:dns'
import dnsPromises from 'node:dns/promises'
import type { Family } from '../attempt.ts'

function called(ask: (done: (error: Error | null) => void) => unknown): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  ask((error) => (error === null ? resolve() : reject(error)))
  return promise
}

/** Nobody answers: what takes its time has asked. */
const limits = { timeout: 500, tries: 1 }

/** An answer that nobody gives in time is no refusal: the question went out. */
async function asked(question: Promise<unknown>): Promise<void> {
  await question.catch((error: { code?: string }) => {
    if (error.code !== 'ETIMEOUT') throw error
  })
}

export const names: Family = {
  'dns.lookup': ({ name }) => called((done) => dns.lookup(`a.${name}`, done)),
  'dns.promises.lookup': ({ name }) => dnsPromises.lookup(`b.${name}`),
  'dns.lookup, IPv6': ({ name }) => dnsPromises.lookup(`c.${name}`, { family: 6 }),
  'dns.resolve4': ({ name }) => asked(called((done) => dns.resolve4(`d.${name}`, done))),
  'dns.promises.resolve6': ({ name }) => asked(dnsPromises.resolve6(`e.${name}`)),
  'dns.resolveTxt': ({ name }) => asked(dnsPromises.resolveTxt(`f.${name}`)),
  'dns.resolveMx': ({ name }) => asked(dnsPromises.resolveMx(`g.${name}`)),
  'dns.resolveAny': ({ name }) => asked(dnsPromises.resolveAny(`h.${name}`)),
  'dns.resolveSrv': ({ name }) => asked(dnsPromises.resolveSrv(`_i._tcp.${name}`)),
  'dns.reverse': ({ v4 }) => asked(dnsPromises.reverse(v4)),
  'dns.lookupService': ({ v4 }) => dnsPromises.lookupService(v4, 443),
  'a Resolver with servers of its own': ({ name, v4 }) => {
    const resolver = new dns.Resolver(limits)
    resolver.setServers([v4])
    return asked(called((done) => resolver.resolve4(name, done)))
  },
  'a Resolver of promises, IPv6': ({ name, v6 }) => {
    const resolver = new dnsPromises.Resolver(limits)
    resolver.setServers([`[${v6}]:53`])
    return asked(resolver.resolve(name))
  },
  'dns.setServers for all': ({ name, v4 }) => {
    dns.setServers([v4])
    return asked(called((done) => dns.resolve4(name, done)))
  },
}
