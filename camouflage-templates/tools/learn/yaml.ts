/** Template data as a template's file is written by hand: pairs, holes and classes on one line each. */
import { Document, isMap, isScalar, isSeq, visit } from 'yaml'
import type { TemplateData } from '#engine/template.ts'

/** `comment` stands in front, one `#` a line. */
export function toYaml(data: TemplateData, comment = ''): string {
  const document = new Document(data, { aliasDuplicateObjects: false })
  visit(document, {
    Seq: (_, node) => {
      if (node.items.every(isScalar)) node.flow = true
    },
    Pair: (_, pair) => {
      const holes = isScalar(pair.key) && pair.key.value === 'holes' && isMap(pair.value)
      if (holes)
        for (const { value } of (pair.value as { items: { value: unknown }[] }).items)
          if (isMap(value)) value.flow = true
    },
  })
  if (isSeq(document.contents)) throw new TypeError('a template is a map')
  if (comment !== '')
    document.commentBefore = comment
      .split('\n')
      .map((line) => ` ${line}`)
      .join('\n')
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}
