/** New people let in by a locked card, a password and a question, and a secret compared: as people meet it on the command line. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { type Command, jsonLines, member, SharedOwner, startMember, temporaryFolder } from './helpers/command.ts'
import type { GatewayProcess } from './helpers/command-gateway.ts'
import { joined, startedGateway, succeed } from './helpers/command-gateway.ts'

const PASSWORD = 'open sesame of Samarkand'
const SECRET = 'the blue boat on the canal'
const ANSWER = 'Lisbon, at the lighthouse'
const CARD_PASSWORD = 'a password of some length'
const shared = new SharedOwner()
let gateway: GatewayProcess
let ada: string
let ben: string
let card: string

interface Proven {
  readonly status: string
  readonly verified: boolean
  readonly proof?: { readonly kind: string; readonly state: string; readonly question?: string }
}

test.before(async () => {
  gateway = await startedGateway(shared)
  ;[ada, ben] = await Promise.all([joined(shared, gateway, 'Ada'), joined(shared, gateway, 'Ben')])
})
test.after.always(() => shared.end())

/** What a running chat has told of a contact. */
const contactTold = (chat: Command, wanted: (contact: Proven) => boolean, what: string): Promise<unknown> =>
  chat.told(({ contact }) => typeof contact === 'object' && contact !== null && wanted(contact as Proven), what)

test.serial('a password and a question open the door; both are asked for, and neither is shown', async (t) => {
  const set = await succeed(member(t, ada, ['friend', 'password', '--json'], `${PASSWORD}\n`))
  t.deepEqual(JSON.parse(set), { password: true })
  const question = 'Where did we meet?'
  t.deepEqual(JSON.parse(await succeed(member(t, ada, ['friend', 'question', question, '--json'], `${ANSWER}\n`))), {
    password: true,
    question,
  })
  t.regex(await succeed(member(t, ada, ['friend', 'door'])), /knows the password.+\n.+Where did we meet\?/)
})

test.serial('a short password is refused, and the one before stays', async (t) => {
  const short = await member(t, ada, ['friend', 'password'], 'short\n')
  t.regex(short.err, /E_PROOF_SECRET/)
  t.is(short.status, 1)
  t.like(JSON.parse(await succeed(member(t, ada, ['friend', 'door', '--json']))), { password: true })
})

test.serial('a locked card is taken in with its password alone', async (t) => {
  const picture = join(await temporaryFolder(t), 'ada.png')
  const made = ['card', '--password', '--qr', '--file', picture]
  card = (await succeed(member(t, ada, made, `${CARD_PASSWORD}\n`))).split('\n')[1]!
  t.regex(card, /^sotto-locked:/)
  t.like(
    JSON.parse(await succeed(member(t, ben, ['contacts', 'add', '--file', picture, '--json'], `${CARD_PASSWORD}\n`))),
    {
      name: 'Ada',
      status: 'accepted',
    },
  )
})

test.serial('a wrong password, address or answer is refused, and it is said why', async (t) => {
  t.regex((await member(t, ben, ['contacts', 'add', card], 'another password\n')).err, /E_CARD_LOCKED/)
  t.regex((await member(t, ben, ['contacts', 'address', 'Ada', 'elsewhere.example:443'])).err, /E_CONTACT_ADDRESS/)
  t.regex((await member(t, ben, ['friend', 'answer', 'Ada'], `${ANSWER}\n`)).err, /E_PROOF_NONE/)
})

test.serial('who knocks with the password is let in, and a secret that both type is found equal', async (t) => {
  const atAda = startMember(t, ada, ['chat', '--json'])
  await succeed(member(t, ben, ['friend', 'knock', 'Ada'], `${PASSWORD}\n`))
  const atBen = startMember(t, ben, ['chat', 'Ada'])
  await contactTold(atAda, ({ status }) => status === 'accepted', 'letting Ben in')
  atBen.child.stdin.write(`/same ${SECRET}\n`)
  await atBen.printed(/Waiting for Ada to type the secret/)
  await contactTold(atAda, ({ proof }) => proof?.kind === 'check' && proof.state === 'wanted', 'being asked')
  atAda.say({ same: 'Ben' })
  await atAda.told(
    ({ error }) => (error as { code?: string } | undefined)?.code === 'E_USAGE',
    'that there is no secret',
  )
  atAda.say({ same: 'Ben', secret: SECRET.toUpperCase() })
  await contactTold(atAda, ({ proof, verified }) => proof?.state === 'equal' && verified, 'that it is equal')
  await atBen.printed(/The secrets are equal/)
  for (const chat of [atAda, atBen]) {
    chat.child.stdin.end()
    await chat.ended
  }
  t.like(jsonLines(await succeed(member(t, ben, ['contacts', '--json'])))[0], {
    ...{ name: 'Ada', verified: true },
    proof: { kind: 'check', state: 'equal' },
  })
  for (const state of [ada, ben]) {
    const files = readdirSync(state, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    t.true(files.length > 3)
    for (const { parentPath, name } of files) {
      const content = readFileSync(join(parentPath, name)).toString('latin1').toLowerCase()
      for (const secret of [PASSWORD, CARD_PASSWORD, SECRET, ANSWER])
        t.false(content.includes(secret.toLowerCase()), name)
    }
  }
})
