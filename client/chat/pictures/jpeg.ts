/**
 * JPEG (ITU-T T.81) without what it tells beside the picture: where, when and with which camera it was taken, and what else
 * programs put there. Only segments that are needed to show it stay; nothing is decoded.
 *
 *     file    = SOI || segment* || EOI                    what follows is left out
 *     segment = ff || marker || length 2 || content       after SOS: pixels, up to the next marker
 */
import { concat, fromLatin1, readU16, readU32, u16 } from '#protocol/bytes.ts'
import type { Size } from './kinds.ts'

const Marker = { soi: 0xd8, eoi: 0xd9, sos: 0xda, app0: 0xe0, app1: 0xe1, app2: 0xe2, app14: 0xee } as const

/** Frames of all kinds; DHT, JPG and DAC lie among them. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
/** Frames, tables (DHT, DAC, DQT), DNL, restart interval. */
const isNeeded = (marker: number): boolean =>
  isFrame(marker) || [0xc4, 0xcc, 0xdb, 0xdc, 0xdd, Marker.sos].includes(marker as 0xda)

interface Segment {
  readonly marker: number
  /** With marker and length. */
  readonly bytes: Uint8Array
  readonly content: Uint8Array
  /** What follows the segment: pixels after SOS. */
  readonly pixels: Uint8Array
}

export interface Jpeg {
  readonly stripped: Uint8Array
  readonly size: Size
  /** As in Exif: 1 upright, up to 8. It is kept, or the picture would lie on its side. */
  readonly orientation: number
  /** It has no more scans than pictures have: each goes over all pixels. */
  readonly isPlain: boolean
}

/** Segments that are looked through. */
const SEGMENTS = 65_536
/** Scans of a picture that is looked at; the progressive ones of usual programs have about ten. */
const SCANS = 32

/** undefined where it is no sound JPEG. */
export function stripJpeg(bytes: Uint8Array): Jpeg | undefined {
  const segments = segmentsOf(bytes)
  const [frame, ...others] = segments?.flatMap(({ marker, content }) => (isFrame(marker) ? [content] : [])) ?? []
  // A second frame would say another size.
  if (segments === undefined || frame === undefined || frame.length < 6 || others.length > 0) return undefined
  const scans = segments.filter(({ marker }) => marker === Marker.sos).length
  if (scans === 0) return undefined
  const orientation = segments.map(orientationOf).find((each) => each !== undefined) ?? 1
  const kept = segments.map(keptOf).filter((segment) => segment !== undefined)
  const turned = orientation === 1 ? [] : [orientationSegment(orientation)]
  const stripped = concat(Uint8Array.of(0xff, Marker.soi), ...turned, ...kept, Uint8Array.of(0xff, Marker.eoi))
  const size = { height: readU16(frame, 1), width: readU16(frame, 3) }
  return { stripped, size, orientation, isPlain: scans <= SCANS }
}

function segmentsOf(bytes: Uint8Array): Segment[] | undefined {
  const segments: Segment[] = []
  let at = 2
  for (;;) {
    if (bytes[at] !== 0xff || segments.length >= SEGMENTS) return undefined
    while (bytes[at + 1] === 0xff) at++
    const marker = bytes[at + 1]
    if (marker === Marker.eoi) return segments
    if (marker === undefined || marker === 0 || at + 4 > bytes.length) return undefined
    const end = at + 2 + readU16(bytes, at + 2)
    if (end < at + 4 || end > bytes.length) return undefined
    const next = marker === Marker.sos ? endOfPixels(bytes, end) : end
    if (next === undefined) return undefined
    const [whole, content] = [bytes.subarray(at, end), bytes.subarray(at + 4, end)]
    segments.push({ marker, bytes: whole, content, pixels: bytes.subarray(end, next) })
    at = next
  }
}

/** Within pixels, ff is followed by 0, or by a restart marker. */
function endOfPixels(bytes: Uint8Array, from: number): number | undefined {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1]
    if (next === undefined) return undefined
    if (next !== 0 && next !== 0xff && (next < 0xd0 || next > 0xd7)) return at
  }
  return undefined
}

const begins = (content: Uint8Array, text: string): boolean =>
  fromLatin1(text).every((octet, at) => content[at] === octet)

function keptOf({ marker, bytes, content, pixels }: Segment): Uint8Array | undefined {
  if (isNeeded(marker)) return concat(bytes, pixels)
  // How colours are meant. A small picture inside JFIF shows what was there before a crop: it goes.
  if (marker === Marker.app0 && begins(content, 'JFIF\0') && content.length >= 14) return jfif(content)
  const isColour =
    (marker === Marker.app2 && begins(content, 'ICC_PROFILE\0')) ||
    (marker === Marker.app14 && begins(content, 'Adobe'))
  return isColour ? bytes : undefined
}

function jfif(content: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0xff, Marker.app0), u16(16), content.subarray(0, 12), Uint8Array.of(0, 0))
}

const EXIF = 'Exif\0\0'
const ORIENTATION = 0x0112
/** Entries of a directory that are looked through. */
const ENTRIES = 512

/** Of Exif (TIFF 6.0 inside APP1): a short value in the first directory. */
function orientationOf({ marker, content }: Segment): number | undefined {
  if (marker !== Marker.app1 || !begins(content, EXIF)) return undefined
  const tiff = content.subarray(EXIF.length)
  const isLittle = begins(tiff, 'II')
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.length)
  const short = (at: number): number => (at + 2 <= tiff.length ? view.getUint16(at, isLittle) : 0)
  if (tiff.length < 8) return undefined
  const directory = isLittle ? view.getUint32(4, true) : readU32(tiff, 4)
  const count = Math.min(short(directory), ENTRIES)
  for (let entry = 0; entry < count; entry++) {
    const at = directory + 2 + entry * 12
    const value = short(at + 8)
    if (short(at) === ORIENTATION) return value >= 1 && value <= 8 ? value : undefined
  }
  return undefined
}

/** Exif with nothing but the orientation. */
function orientationSegment(orientation: number): Uint8Array {
  const header = concat(fromLatin1('MM\0*'), Uint8Array.of(0, 0, 0, 8))
  const entry = concat(u16(ORIENTATION), u16(3), Uint8Array.of(0, 0, 0, 1), u16(orientation), u16(0))
  const content = concat(fromLatin1(EXIF), header, u16(1), entry, Uint8Array.of(0, 0, 0, 0))
  return concat(Uint8Array.of(0xff, Marker.app1), u16(content.length + 2), content)
}
