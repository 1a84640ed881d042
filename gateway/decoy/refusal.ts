/** What an ordinary server says to a request that is none. */
import { rawPage } from './answer.ts'
import type { Refusal } from './decoy.ts'

export const pageRefusal: Refusal = (code) => {
  if (code === 'METHOD') return rawPage(405)
  return code === 'HPE_HEADER_OVERFLOW' ? rawPage(400, 'Request Header Or Cookie Too Large') : rawPage(400)
}
