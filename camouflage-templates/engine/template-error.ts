import { SottoError } from '#protocol/errors.ts'

/** Where in a template file. `path` is the way through the document, e.g. `shapes.poll.request.headers.0.1`. */
export interface TemplatePlace {
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  readonly path: string
}

/** Code `E_TEMPLATE`: a template that is not used because of the named line. Says what was expected there. */
export class TemplateError extends SottoError {
  readonly file: string
  readonly line: number
  readonly path: string
  readonly expectation: string

  constructor(place: TemplatePlace, expectation: string, cause?: unknown) {
    super('E_TEMPLATE', `${place.file}:${place.line}: ${place.path || 'template'}: expected ${expectation}`, { cause })
    this.name = 'TemplateError'
    this.file = place.file
    this.line = place.line
    this.path = place.path
    this.expectation = expectation
  }
}
