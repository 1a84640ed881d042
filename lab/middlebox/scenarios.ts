/** The networks that Sotto has to get through, each with a name; by kind in scenarios/. */
import type { Scenario } from './scenario.ts'
import { calm } from './scenarios/calm.ts'
import { cuts } from './scenarios/cuts.ts'
import { edges } from './scenarios/edges.ts'
import { machines } from './scenarios/machines.ts'
import { namespaces } from './scenarios/namespaces.ts'
import { proxies } from './scenarios/proxies.ts'
import { straight } from './scenarios/straight.ts'
import { wires } from './scenarios/wires.ts'

export const scenarios: readonly Scenario[] = [
  ...calm,
  ...cuts,
  ...edges,
  ...proxies,
  ...machines,
  ...namespaces,
  ...straight,
  ...wires,
]
