/** What a site answers on the paths of a template: a folder as a web server shows it, or a server that is asked. */
import { stat } from 'node:fs/promises'
import { join, normalize } from 'node:path'
import { SottoError } from '#protocol/errors.ts'

export interface SiteAnswer {
  readonly status: number
  /** Milliseconds until the answer began; undefined for a folder. */
  readonly ms: number | undefined
}

export interface Site {
  ask(method: 'GET' | 'POST', target: string): Promise<SiteAnswer>
}

/** Answers by the name of the shape; '' for the page. */
export type SiteAnswers = ReadonlyMap<string, SiteAnswer>

const TIMEOUT_MS = 15_000

/** @throws SottoError E_USAGE where it is neither an http(s) URL nor a folder */
export async function openSite(where: string): Promise<Site> {
  if (/^https?:\/\//.test(where)) return urlSite(where)
  const found = await stat(where).catch(() => undefined)
  if (found?.isDirectory()) return folderSite(where)
  throw new SottoError('E_USAGE', `«${where}» is neither a folder nor an http(s) URL`)
}

/** Files are there or not; a folder has no answer to a POST. */
export function folderSite(folder: string): Site {
  return {
    ask: async (method, target) => {
      const path = normalize(join('/', decodeURIComponent(target.split('?')[0]!)))
      if (method === 'POST') return { status: 405, ms: undefined }
      for (const name of [path, `${path}.html`, join(path, 'index.html')]) {
        const found = await stat(join(folder, name)).catch(() => undefined)
        if (found?.isFile()) return { status: 200, ms: undefined }
      }
      return { status: 404, ms: undefined }
    },
  }
}

/** As a visitor who is not logged in; a POST is empty. Redirects are answers. */
export function urlSite(origin: string): Site {
  return {
    ask: async (method, target) => {
      const began = performance.now()
      try {
        const signal = AbortSignal.timeout(TIMEOUT_MS)
        const response = await fetch(new URL(target, origin), { method, redirect: 'manual', signal })
        const ms = performance.now() - began
        await response.body?.cancel()
        return { status: response.status, ms }
      } catch (cause) {
        if (cause instanceof Error && cause.name === 'TimeoutError') return { status: 200, ms: TIMEOUT_MS }
        throw new SottoError('E_PATH_REFUSED', `${origin} does not answer`, { cause })
      }
    },
  }
}
