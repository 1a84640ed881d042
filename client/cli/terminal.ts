/** A conversation on a terminal: what is said scrolls above, one line to type in stays below. Built on node:readline. */

import type { Interface } from 'node:readline'
import { clearLine, createInterface, cursorTo, moveCursor } from 'node:readline'
import type { Readable } from 'node:stream'
import { stripVTControlCharacters, styleText } from 'node:util'

export type Style = Parameters<typeof styleText>[0]

export interface Terminal {
  /** Prints lines above the line being typed, which stays as it is. */
  print(text: string): void
  /** Puts `text` in the place of what was printed last. Without effect where nothing can be taken back. */
  amend(text: string): void
  /** The text in front of the line being typed. */
  setPrompt(text: string): void
  /** Colours where the terminal has them. */
  style(style: Style, text: string): string
  /** It shows any colour there is. */
  readonly hasColours: boolean
  bell(): void
  readonly columns: number
  close(): void
}

export interface TerminalInput {
  readonly input: Readable & { isTTY?: boolean }
  readonly output: NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
  readonly onLine: (line: string) => void
  /** End of input, or Ctrl-C on an empty line. */
  readonly onClose: () => void
  /** Completions of the word before the cursor. */
  readonly complete: (line: string) => string[]
  /** A line that must not come back with the arrow keys. */
  readonly isSecret: (line: string) => boolean
}

export function openTerminal({ input, output, onLine, onClose, complete, isSecret }: TerminalInput): Terminal {
  const tty = output.isTTY === true && input.isTTY === true
  const lines: Interface = createInterface({
    input,
    output: tty ? output : undefined,
    terminal: tty,
    historySize: 100,
    removeHistoryDuplicates: true,
    completer: (line: string): [string[], string] => [complete(line), line],
  })
  // Readline goes on with this very array.
  lines.on('history', (history: string[]) => {
    if (history[0] !== undefined && isSecret(history[0])) history.shift()
  })
  let closed = false
  const finish = (): void => {
    if (closed) return
    closed = true
    // Readline only pauses it, and a pipe that somebody holds open would keep the program.
    if (!tty) input.destroy()
    onClose()
  }
  lines.on('line', (line) => {
    if (tty) eraseEcho(output, lines, line)
    onLine(line)
    if (tty && !closed) lines.prompt(true)
  })
  lines.on('close', finish)
  lines.on('SIGINT', () => {
    if (lines.line.length > 0) lines.write(null, { ctrl: true, name: 'u' })
    else lines.close()
  })
  /** Rows above the prompt that the last print took; 0 where it must not be amended. */
  let printed = 0
  const write = (text: string, above: number): void => {
    if (!tty || closed) {
      output.write(`${text}\n`)
      return
    }
    moveCursor(output, 0, -(lines.getCursorPos().rows + above))
    cursorTo(output, 0)
    output.write(`\u001b[J${text}\n`)
    printed = rowsOf(text, output.columns ?? 80)
    lines.prompt(true)
  }
  return {
    print: (text) => write(text, 0),
    amend: (text) => {
      if (tty && !closed) write(text, printed)
    },
    setPrompt: (text) => {
      lines.setPrompt(text)
      if (tty && !closed) {
        clearLine(output, 0)
        lines.prompt(true)
      }
    },
    style: (style, text) => (tty ? styleText(style, text) : text),
    hasColours: hasColours(output),
    bell: () => {
      if (tty) output.write('\u0007')
    },
    get columns() {
      return output.columns ?? 80
    },
    close: () => lines.close(),
  }
}

/** It shows any colour there is. */
export function hasColours(output: NodeJS.WritableStream & { readonly isTTY?: boolean }): boolean {
  const { COLORTERM = '', NO_COLOR } = process.env
  return output.isTTY === true && /^(truecolor|24bit)$/.test(COLORTERM) && NO_COLOR === undefined
}

function rowsOf(text: string, width: number): number {
  const rows = (line: string): number => Math.max(1, Math.ceil([...stripVTControlCharacters(line)].length / width))
  return text.split('\n').reduce((sum, line) => sum + rows(line), 0)
}

/** The line as typed is replaced by the message as sent: go back over its echo and clear it. */
function eraseEcho(output: NodeJS.WritableStream & { columns?: number }, lines: Interface, line: string): void {
  const width = output.columns ?? 80
  const typed = [...stripVTControlCharacters(lines.getPrompt()), ...line].length
  moveCursor(output, 0, -Math.max(1, Math.ceil(typed / width)))
  cursorTo(output, 0)
  output.write('\u001b[J')
}
