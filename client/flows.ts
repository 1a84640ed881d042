/** What the firewall's flow meter does about each gateway now, kept for who wants to show it. */
import type { Broker, EndpointInfo } from '#firewall/permit.ts'

export type FlowNote = NonNullable<EndpointInfo['flow']>

const telling: ReadonlySet<string> = new Set(['throttled', 'cut', 'eased', 'allowed'])

export class Flows {
  onChange: (endpointId: string) => void = () => {}
  private readonly broker: Broker
  private notes: ReadonlyMap<string, FlowNote> = new Map()

  private constructor(broker: Broker) {
    this.broker = broker
  }

  /** @throws SottoError E_FIREWALL_GONE */
  static async open(broker: Broker): Promise<Flows> {
    const flows = new Flows(broker)
    await flows.read()
    broker.onEvent(({ kind, endpoint = '' }) => {
      // The pipe may end meanwhile: then the program does.
      if (telling.has(kind))
        flows.read().then(
          () => flows.onChange(endpoint),
          () => {},
        )
    })
    return flows
  }

  /** undefined where all is well. */
  of(endpointId: string): FlowNote | undefined {
    return this.notes.get(endpointId)
  }

  private async read(): Promise<void> {
    const endpoints = await this.broker.endpoints()
    this.notes = new Map(endpoints.flatMap(({ id, flow }) => (flow === undefined ? [] : [[id, flow]])))
  }
}
