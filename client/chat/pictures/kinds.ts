/** What a picture is, by its first octets; names are not believed. */
export type PictureKind = 'jpeg' | 'png'

const starts: readonly (readonly [PictureKind, readonly number[]])[] = [
  ['jpeg', [0xff, 0xd8, 0xff]],
  ['png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
]

/** Octets that `pictureKind` looks at. */
export const KIND_BYTES = 8

export function pictureKind(head: Uint8Array): PictureKind | undefined {
  return starts.find(([, start]) => start.every((octet, at) => head[at] === octet))?.[0]
}

export interface Size {
  readonly width: number
  readonly height: number
}
