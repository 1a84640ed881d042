/** A scenario: one bad network, as data, and what has to be true at its end. */
import type { EdgeReport } from '#client/edge.ts'
import type { ErrorCode } from '#protocol/errors.ts'
import type { PacketRules } from './packet-relay.ts'

/** What a box does to the octets of a connection, whatever they mean. */
export interface TcpRules {
  /** One way, milliseconds; `jitterMs` more at most. Octets stay in order. */
  readonly delayMs?: number
  readonly jitterMs?: number
  /** Each way, of one connection. */
  readonly bytesPerSecond?: number
  /** Share of pieces that wait `stallMs` longer, as a lost segment and its repetition do. */
  readonly stallShare?: number
  readonly stallMs?: number
  /** A connection on which nothing came for so long ends: by a reset, an orderly close, or without a word. */
  readonly idleCutMs?: number
  readonly idleCut?: 'reset' | 'close' | 'silent'
  /** From so many octets down on, nothing of this connection passes any more, and nobody is told. */
  readonly freezeAfter?: number
  /** From so many octets down on, the connection is reset. */
  readonly resetAfter?: number
  /** Reset when the first flight names this host. */
  readonly resetSni?: string
  /** Every connection is reset at once. */
  readonly refuse?: boolean
  /** Connections come about, and nothing ever passes. */
  readonly silent?: boolean
}

/** What a box that speaks HTTP does to requests and answers. */
export interface HttpRules {
  /** Collects whole bodies before it passes them on, both ways. */
  readonly buffer?: boolean
  /** Sends every request so many times to the origin; the first answer counts. */
  readonly copies?: number
  /** Asks again so often, by itself, where the origin does not answer within `retryMs`. */
  readonly retries?: number
  readonly retryMs?: number
  /** Answers this share of requests with `status` instead of asking the origin. */
  readonly failShare?: number
  readonly status?: number
  /** Keeps answers from 500 on for so long, by method and URL, and gives them again. */
  readonly cacheFailuresMs?: number
  /** Milliseconds after which a request without an answer gets a 504. */
  readonly answerMs?: number
  readonly stripRequest?: readonly string[]
  readonly stripResponse?: readonly string[]
  readonly addRequest?: readonly (readonly [string, string])[]
  readonly addResponse?: readonly (readonly [string, string])[]
  readonly reorder?: boolean
  readonly letters?: 'lower' | 'upper'
  /** Without `content-length`: in chunks. */
  readonly chunked?: boolean
  /** One exchange a connection. */
  readonly closeAfterEach?: boolean
  readonly refuseMethods?: readonly string[]
  /** Refuses with 413, 431 and 414. */
  readonly requestBodyMax?: number
  readonly headersMax?: number
  readonly targetMax?: number
  /** Answers 502 instead of a larger answer. */
  readonly responseBodyMax?: number
  /** Cuts the connection in the middle of this share of answers. */
  readonly resetBodyShare?: number
  /** For so long after the first connection: every request is sent to a login page elsewhere. */
  readonly portalMs?: number
  /** For so long after the first connection: shows a certificate of its own. */
  readonly interceptMs?: number
  /** Milliseconds until an answer is passed on, as through a long chain. */
  readonly lagMs?: number
}

export type ProxyKind = 'nginx' | 'haproxy' | 'caddy' | 'varnish'

export type Box =
  | ({ readonly kind: 'tcp' } & TcpRules)
  | ({ readonly kind: 'http'; readonly tcp?: TcpRules } & HttpRules)
  /** The real program with its own settings, and these besides. */
  | { readonly kind: ProxyKind; readonly directives: string }
  /** The member lives in a network namespace of its own; rules of nftables at its gateway, rate by tbf. */
  | { readonly kind: 'namespace'; readonly nft: readonly string[]; readonly rate?: string }
  /** The same, behind a wire on which packets are late, overtaken, lost and doubled. */
  | ({ readonly kind: 'packets' } & PacketRules)

/** leave, return: of the node behind the box. */
export type Act = 'cut' | 'freeze' | 'rebind' | 'restart' | 'sleep' | 'wake' | 'leave' | 'return'

/** Something that happens so long after the first message. */
export interface Turn {
  readonly afterMs: number
  /** Replaces the rules of the box. */
  readonly rules?: TcpRules & HttpRules
  /** Replaces the rules of nftables, and those of packets. */
  readonly nft?: readonly string[]
  readonly packets?: PacketRules
  readonly act?: Act
  /** From now on the path works again; without any such turn it works at once, on new connections. */
  readonly heals?: true
}

export interface Scenario {
  readonly name: string
  /** For people. */
  readonly what: string
  readonly box: Box
  /** A second way to the same gateway, named second in the invite: another address, or another host name. */
  readonly second?: 'address' | 'gateway'
  readonly turns?: readonly Turn[]
  /** The box is before a node of the far member, which the near one has let in; the gateway is reached without one. */
  readonly node?: true
  /** The near member has the straight way before they talk, and has to have it while they do. */
  readonly isStraight?: true
  /** The member behind the box: in this process, or the real broker with its confined core. */
  readonly member?: 'library' | 'process'
  readonly template?: string
  /** Messages each way, milliseconds between them, letters of each. */
  readonly count?: number
  readonly everyMs?: number
  readonly letters?: number
  /** Added to the clock of the member. */
  readonly clockShiftMs?: number
  /** What the resolver of the network says, for whatever name; the invite's addresses are left out where `unpinned`. */
  readonly resolves?: readonly string[]
  readonly unpinned?: true
  /** Holds and their growth happen so many times faster than in the world. */
  readonly quicker?: number
  /** All has to have arrived by then. */
  readonly withinMs?: number
  /** In use at the end. */
  readonly endsWith?: string
  /** What has to be known of the edge at the end; of a member in this process. */
  readonly learns?: Partial<EdgeReport>
  /** Codes that must have been named to the person on the way. */
  readonly names?: readonly ErrorCode[]
}

/** One line of the report. */
export interface Row {
  readonly name: string
  readonly messages: number
  readonly lost: number
  readonly duplicates: number
  readonly p50_ms: number
  readonly p99_ms: number
  /** Times that the way was lost and found again. */
  readonly reconnects: number
  /** From the first turn until the member knew that the path fails; null where it never did, or there is no turn. */
  readonly noticed_ms: number | null
  /** From when it knew, and the path worked again, until something came through. */
  readonly recovered_ms: number | null
  readonly dialer: string
  readonly template: string
  /** From the invite link to the first message at the other member. */
  readonly first_ms: number
  /** Codes that were named. */
  readonly named: readonly string[]
  /** What is not as it has to be; empty in a good row. */
  readonly faults: readonly string[]
}
