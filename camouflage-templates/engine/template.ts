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
export type HoleData = NumberHole | RunHole | ChoiceHole | TokenHole | PayloadHole

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
export interface MultipartPart {
  readonly headers: readonly HeaderData[]
  readonly text?: Text | undefined
  readonly raw?: true | undefined
  readonly png?: PngData | undefined
}

/** Exactly one of the keys. */
export interface BodyData {
  readonly text?: Text | undefined
  readonly raw?: true | undefined
  readonly png?: PngData | undefined
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

export type Kind = 'poll' | 'send' | 'bulk'
export type Family = 'node' | 'chromium' | 'firefox'

export interface TemplateData {
  /** Of this file format. */
  readonly format: 1
  readonly id: string
  readonly version: number
  /** Which client the traffic claims to be: only a dialer of that family may carry it. */
  readonly family: Family
  /** What a visitor's client loads first on a connection. */
  readonly page: { readonly path: string; readonly headers: readonly HeaderData[] }
  readonly rhythm: {
    /** Between these a poll is held, milliseconds. */
    readonly holdMs: readonly [number, number]
    /** Exchanges open at once, held polls included. */
    readonly concurrency: number
    /** Held polls kept open. */
    readonly polls: number
  }
  /** Which shape serves which kind of exchange. */
  readonly kinds: Readonly<Record<Kind, string>>
  readonly holes: Readonly<Record<string, HoleData>>
  readonly shapes: Readonly<Record<string, ShapeData>>
}

/** A template whose data fits the schema; `source` names lines in later errors. */
export interface Template {
  readonly data: TemplateData
  readonly source: Source
}
