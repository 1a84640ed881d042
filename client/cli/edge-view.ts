/** What is known of who handles our HTTP on the way, in words. */
import type { EdgeReport } from '#client/edge.ts'

/** Empty where nothing is known yet. */
export function describeEdge(edge: EdgeReport): string {
  const {
    waitedMs = 0,
    cutMs,
    post,
    up,
    down,
    upMost,
    smallAnswers,
    octetsPerSecond,
    parallel,
    keepsFailures,
    repeats,
    cut,
  } = edge
  return [
    ...(waitedMs > 0 ? [`requests may wait ${seconds(waitedMs)}`] : []),
    ...(cutMs === undefined ? [] : [`those that wait longer than ${seconds(cutMs)} are cut`]),
    ...(post === undefined ? [] : [post ? 'POST passes' : 'POST is refused']),
    ...(up === undefined || down === undefined ? [] : [`${size(up)} up and ${size(down)} down have passed at once`]),
    ...(upMost === undefined ? [] : [`of requests no more than ${size(upMost)}`]),
    ...(smallAnswers ? ['large answers do not pass'] : []),
    ...(parallel === true ? ['others pass while one waits'] : []),
    ...(octetsPerSecond === undefined ? [] : [`about ${size(octetsPerSecond)}/s a connection`]),
    ...(keepsFailures === true ? ['failures are kept and given again'] : []),
    ...(repeats === true ? ['requests are sent on more than once'] : []),
    ...(cut === undefined ? [] : [`connections that look like ${cut.join(' or ')} are cut`]),
  ].join(', ')
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`

/** As people count them. */
const size = (octets: number): string => `${Math.max(1, Math.round(octets / 1000))} kB`
