/** What a command does with a gateway's state between opening and closing it. */
import type { GatewayState } from '../state.ts'
import { openState } from '../state.ts'

/** @throws SottoError of `openState`, and whatever `use` throws; the state is closed in any case */
export async function withState<T>(folder: string, use: (state: GatewayState) => Promise<T>): Promise<T> {
  const state = await openState(folder)
  try {
    return await use(state)
  } finally {
    await state.close()
  }
}
