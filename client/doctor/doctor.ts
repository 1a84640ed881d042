/** `sotto doctor`: looks at this machine's folder, and at every gateway from a member's side. */
import { stat } from 'node:fs/promises'
import type { CompiledTemplate } from '#engine/compile.ts'
import type { Broker } from '#firewall/permit.ts'
import { SottoError } from '#protocol/errors.ts'
import type { Clockwork } from '../clockwork.ts'
import { type Finding, Findings } from './finding.ts'
import { visitAsMember } from './own.ts'
import { visitAsStranger } from './stranger.ts'

export interface DoctorInput {
  readonly broker: Broker
  readonly clockwork: Clockwork
  /** Where everything is kept. */
  readonly folder: string
  /** Built-in templates that fit the dialer. */
  readonly templates: readonly CompiledTemplate[]
  /** Id of the template to try, in place of the one that the invite named. */
  readonly look: string | undefined
  /** Milliseconds that a request is to wait. */
  readonly holdMs: number
}

/** @throws SottoError E_NOT_JOINED, E_USAGE */
export async function examine(input: DoctorInput): Promise<Finding[]> {
  const gateways = (await input.broker.endpoints()).filter(({ kind }) => kind === 'gateway')
  if (gateways.length === 0) throw new SottoError('E_NOT_JOINED', 'there is no gateway to look at')
  const all = [...(await examineFolder(input.folder))]
  for (const endpoint of gateways) {
    const id = input.look ?? endpoint.template
    const template = input.templates.find((each) => each.id === id)
    if (template === undefined) throw new SottoError('E_USAGE', `there is no template «${id}»`)
    const findings = new Findings(endpoint)
    const visit = { permit: await input.broker.permit(endpoint.id), template, clockwork: input.clockwork, findings }
    if (await visitAsStranger(visit)) await visitAsMember(visit, input.holdMs)
    all.push(...findings.list)
  }
  return all
}

async function examineFolder(folder: string): Promise<readonly Finding[]> {
  const findings = new Findings()
  const { mode } = await stat(folder)
  if ((mode & 0o077) === 0) findings.good('modes', 'The state folder is closed to others.')
  else findings.bad('modes', 'fail', `Others may enter ${folder}.`, `chmod 700 ${folder}`)
  return findings.list
}
