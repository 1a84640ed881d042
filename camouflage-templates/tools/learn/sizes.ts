/** Size classes out of the sizes that were seen. */
import { TemplateLimits } from '#engine/limits.ts'

/** Classes of one direction: more would tell lengths apart that padding is there to hide. */
const CLASSES = 8
/** What a class is of the next one, at the most. */
const APART = 0.85
/** Octets of a parcel at most, so that base64 and a document around it fit a body. */
const LARGEST = 180_000
/** Octets of a picture around its pixels, and of one row's beginning. */
const PICTURE_OVERHEAD = 100
const CHANNELS = 3

/** Quantiles of what was seen, with a class for a text message where what was seen reaches over that range. */
export function classesOf(octets: readonly number[]): number[] {
  const sorted = [...octets].sort((a, b) => a - b)
  const quantiles = Array.from(
    { length: CLASSES },
    (_, i) => sorted[Math.round((i * (sorted.length - 1)) / (CLASSES - 1))]!,
  )
  const [from, to] = TemplateLimits.textClass
  const within = (length: number): boolean => length >= from && length <= to
  const reaches = sorted[0]! <= to && sorted.at(-1)! >= from
  const seen = sorted.find(within)
  const text = quantiles.some(within) || !reaches ? [] : [seen ?? 768]
  const usable = [...quantiles, ...text].filter((length) => length >= TemplateLimits.smallestClass && length <= LARGEST)
  return thinned([...new Set(usable)].sort((a, b) => a - b))
}

/** Without classes hardly below the next one, which would only tell lengths apart; those of text messages stay. */
function thinned(classes: readonly number[]): number[] {
  const [from, to] = TemplateLimits.textClass
  return classes.filter((length, at) => {
    const next = classes[at + 1]
    const text = length >= from && length <= to && (next === undefined || next > to)
    return next === undefined || text || length <= APART * next
  })
}

export interface Pictures {
  readonly sizes: readonly (readonly [number, number])[]
  /** What they carry. */
  readonly classes: readonly number[]
}

/** Pictures whose files are as long as those seen. */
export function picturesOf(fileLengths: readonly number[]): Pictures {
  const wanted = fileLengths.map((length) => {
    const pixels = Math.max(32, (length - PICTURE_OVERHEAD) / CHANNELS)
    const width = Math.min(TemplateLimits.pictureEdge, Math.max(1, Math.round(Math.sqrt((pixels * 4) / 3))))
    return [width, Math.min(TemplateLimits.pictureEdge, Math.max(1, Math.round(pixels / width)))] as const
  })
  const capacity = ([width, height]: readonly [number, number]): number => CHANNELS * width * height
  const classes = classesOf(wanted.map(capacity))
  const sizes = classes.flatMap((length) => {
    const size = wanted.find((each) => capacity(each) === length) ?? sizeFor(length)
    return size[0] === size[1] ? [size] : [size, [size[1], size[0]] as const]
  })
  return { sizes, classes: classes.map((length) => largestWithin(length, sizes, capacity)) }
}

function sizeFor(octets: number): readonly [number, number] {
  const width = Math.max(1, Math.round(Math.sqrt(octets / CHANNELS)))
  return [width, Math.ceil(octets / CHANNELS / width)]
}

/** A class is what its own picture holds, so that the next class is never meant. */
function largestWithin(
  length: number,
  sizes: readonly (readonly [number, number])[],
  capacity: (size: readonly [number, number]) => number,
): number {
  return Math.min(...sizes.map(capacity).filter((each) => each >= length))
}
