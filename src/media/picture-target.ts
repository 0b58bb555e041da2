/** How a model counts a picture; the rule's own name in the table of rules. */
export interface PictureTarget {
  readonly provider: string
  readonly model: string
  readonly detail: 'auto' | 'low' | 'high' | 'original'
}
