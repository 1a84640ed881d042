/** What most commands do: they open the state, work on it, and close it whatever happens. */
import { Member } from '#client/member.ts'
import type { Ground } from './commands.ts'

/** Of every command. */
export interface Options {
  readonly json?: boolean
  readonly look?: string
}

export async function withMember<T>(
  ground: Ground,
  { look: template, online, newName }: Options & { readonly online: boolean; readonly newName?: string },
  work: (member: Member) => Promise<T>,
): Promise<T> {
  const member = await Member.open({ ...ground, template, online, ...(newName === undefined ? {} : { newName }) })
  try {
    return await work(member)
  } finally {
    await member.close()
  }
}
