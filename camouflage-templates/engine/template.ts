/**
 * The data model of a template: what template.yaml says, after the schema and before compiling. A template is data.
 *
 * Any `Text` may contain holes, written `{{name}}`: at that place a message carries what the hole of that name says.
 * `{{host}}` is the host name of the gateway and stands in request headers only.
 */
import type { Source } from './source.ts'

/** Printable ASCII with `{{name}}` holes. */
export type Text = string

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  /** Path and query. */
  readonly target: string
  /** In wire order. The dialer adds host and connection in front and content-length behind. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array | undefined
}

export interface HttpResponse {
  readonly status: number
  /** In wire order. The carrier adds date, connection and content-length. */
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

export type AlphabetName = 'digits' | 'hex' | 'base36' | 'base62'
export type EncodingName = 'base64' | 'base64url' | 'hex'

/** Decoration: a decimal number without leading zeros, both ends included. */
export interface NumberHole {
  readonly number: readonly [number, number]
}
/** Decoration: `length` (both ends included) characters of an alphabet. */
export interface RunHole {
  readonly run: AlphabetName
  readonly length: readonly [number, number]
}
/** Decoration: one of some texts. Repeat one to make it likelier. */
export interface ChoiceHole {
  readonly oneOf: readonly string[]
}
/** The 16-octet token. */
export interface TokenHole {
  readonly token: EncodingName
}
/** The parcel, or with `exact` that many octets of it; a later payload hole or the body carries on. */
export interface PayloadHole {
  readonly payload: EncodingName
  readonly exact?: number | undefined
  /** A list of equally long values, e.g. entity tags: every `bytes` octets between `open` and `close`. */
  readonly group?: GroupData | undefined
}
export interface GroupData {
  readonly bytes: number
  readonly open: string
  readonly close: string
  readonly between: string
}
/** The parcel, or with `exact` that many octets of it, as a JWE in compact form (RFC 7516 section 7.1). */
export interface JweHole {
  readonly jwe: JweData
  readonly exact?: number | undefined
}
export interface JweData {
  readonly alg: 'dir' | 'A128KW' | 'A256KW'
  readonly enc: 'A128GCM' | 'A256GCM'
  /** Of the key, as the header names it. */
  readonly kid?: string | undefined
}
export type HoleData = NumberHole | RunHole | ChoiceHole | TokenHole | PayloadHole | JweHole

export type HeaderData = readonly [string, Text]

export interface PngData {
  /** Width and height. Each size class of the shape needs at least one that holds it and not the next class. */
  readonly sizes: readonly (readonly [number, number])[]
  /** Chunks between IHDR and IDAT, the same in every picture. */
  readonly chunks: readonly { readonly type: string; readonly hex: string }[]
  /** Octets of compressed data in one IDAT chunk. */
  readonly idat: number
}

export interface MultipartData {
  readonly boundary: Text
  readonly parts: readonly MultipartPart[]
}
export interface MultipartPart extends PartFileData {
  readonly headers: readonly HeaderData[]
  readonly text?: Text | undefined
}

/** An archive of one file that does not compress. */
export interface ZipData {
  /** Of the file inside; may vary. */
  readonly name: Text
  readonly method: 'store' | 'deflate'
  /** First and last day of the file's time stamp, `2025-01-31`. */
  readonly modified: readonly [string, string]
}
/** A segment of an HLS stream under AES-128: what is inside shows in its length alone. */
export interface SegmentData {
  readonly container: 'ts' | 'fmp4'
}
/** A fragment of an encrypted audio track. */
export interface Fmp4Data {
  /** Octets of one sample, both ends included. */
  readonly sample: readonly [number, number]
  /** Of one sample, ticks of the track. */
  readonly duration: number
  /** Ticks from the beginning of one fragment to that of the next. */
  readonly fragment: number
  /** Fragments into the track, both ends included. */
  readonly sequence: readonly [number, number]
}
/** Lines of JSON. */
export interface NdjsonData {
  /** In front, once. */
  readonly first?: Text | undefined
  /** Repeated; its holes are filled anew each time, one of them carries payload. */
  readonly line: Text
  /** Octets of payload on each line but the last. */
  readonly bytes: number
}
/** Packets of engine.io 4 as one polling body holds them. */
export interface EngineIoData {
  /** In front, as they stand. */
  readonly packets: readonly Text[]
  /** Name of the socket.io event whose attachments carry the octets. */
  readonly event: string
  /** Octets of each attachment but the last. */
  readonly bytes: number
}
export interface GrpcWebData {
  /** Number of the message's field that holds octets. */
  readonly field: number
  /** Octets in each message but the last. */
  readonly bytes: number
  /** Answers end with a frame of trailers. */
  readonly trailer: boolean
}

/** Files that may stand in a form, too. */
export interface PartFileData {
  readonly raw?: true | undefined
  readonly png?: PngData | undefined
  readonly zip?: ZipData | undefined
  readonly fmp4?: Fmp4Data | undefined
}
export interface FileData extends PartFileData {
  readonly segment?: SegmentData | undefined
  readonly ndjson?: NdjsonData | undefined
  readonly engineio?: EngineIoData | undefined
  readonly grpcWeb?: GrpcWebData | undefined
}

/** Exactly one of the keys. */
export interface BodyData extends FileData {
  readonly text?: Text | undefined
  readonly multipart?: MultipartData | undefined
}

export interface RequestData {
  readonly method: 'GET' | 'POST'
  readonly path: Text
  readonly query: readonly HeaderData[]
  readonly headers: readonly HeaderData[]
  readonly body?: BodyData | undefined
  /** Parcel lengths in octets, ascending. */
  readonly classes: readonly number[]
}

export interface ResponseData {
  readonly status: number
  readonly headers: readonly HeaderData[]
  readonly body: BodyData
  readonly classes: readonly number[]
}

export interface ShapeData {
  readonly request: RequestData
  readonly response: ResponseData
}

/**
 * The same exchanges as messages of a WebSocket, where the network lets one through; otherwise the shapes carry alone. What is
 * spoken on it is socket.io 5 over engine.io 4: an event with attachments up, its acknowledgement with attachments down.
 */
export interface SocketData {
  /** Asks for the socket: an exchange of its own, whose answer is the first event that comes down. */
  readonly request: Omit<RequestData, 'method' | 'body'>
  /** Name of the event that carries octets. */
  readonly event: string
  /** Octets of each attachment but the last. */
  readonly bytes: number
  /** Parcel lengths in octets, ascending. */
  readonly up: readonly number[]
  readonly down: readonly number[]
  /** Between these, milliseconds, an exchange waits for news. */
  readonly holdMs: readonly [number, number]
}

/** When exchanges begin (rhythm.ts). Times in milliseconds, ranges with both ends included. */
export interface RhythmData {
  /** Between these a poll is held. */
  readonly holdMs: readonly [number, number]
  /** Exchanges open at once, held polls included. */
  readonly concurrency: number
  /** Held polls kept open. */
  readonly polls: number
  /** From the end of a poll to the next. None: at once. */
  readonly thinkMs?: readonly [number, number] | undefined
  /** So many sends at once, then one in every gap. None: as they come. */
  readonly burst?: { readonly exchanges: number; readonly gapMs: readonly [number, number] } | undefined
  /** Without content for `afterMs`, polls rest longer each time: `restMs`, times `factor`, up to `mostMs`. */
  readonly idle?: IdleData | undefined
  /** Sends without content. */
  readonly cover?: CoverData | undefined
}
export interface IdleData {
  readonly afterMs: number
  readonly restMs: readonly [number, number]
  readonly factor: number
  readonly mostMs: number
}
export interface CoverData {
  readonly mode: 'off' | 'adaptive' | 'constant'
  readonly everyMs: readonly [number, number]
  /** How many follow a send, where `adaptive`. */
  readonly tail?: readonly [number, number] | undefined
  /** Octets that each claims to carry: the class that holds them. */
  readonly bytes: number
}

export type Kind = 'poll' | 'send' | 'bulk'
export type Family = 'node' | 'chromium' | 'firefox'

/** `{{host}}` may stand in them. */
export interface PagePartsData {
  readonly style: readonly HeaderData[]
  readonly script: readonly HeaderData[]
  readonly image: readonly HeaderData[]
}

export interface TemplateData {
  /** Of this file format. */
  readonly format: 1
  readonly id: string
  readonly version: number
  /** Which client the traffic claims to be: only a dialer of that family may carry it. */
  readonly family: Family
  /** What a visitor's client loads first on a connection. */
  readonly page: {
    readonly path: string
    readonly headers: readonly HeaderData[]
    /** Of browsers: headers of what they load with it, wherever the page says it is. */
    readonly parts?: PagePartsData | undefined
  }
  readonly rhythm: RhythmData
  /** Which shape serves which kind of exchange. */
  readonly kinds: Readonly<Record<Kind, string>>
  readonly holes: Readonly<Record<string, HoleData>>
  readonly shapes: Readonly<Record<string, ShapeData>>
  readonly socket?: SocketData | undefined
}

/** A template whose data fits the schema; `source` names lines in later errors. */
export interface Template {
  readonly data: TemplateData
  readonly source: Source
}
