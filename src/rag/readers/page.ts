/**
 * @module What a reader makes of a file.
 */

/** A page's title and text. */
export interface ReadPage {
  readonly title: string
  readonly text: string
}
