/**
 * @module Numbers as the study's page writes them.
 */

/** A part as parts of a hundred. */
export const percent = (part: number): string => `${(100 * part).toFixed(1)} %`

/** Bytes of a file, small ones too. */
export const bytesText = (bytes: number): string =>
  bytes < 1e6 ? `${(bytes / 1e3).toFixed(bytes < 1e5 ? 1 : 0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`

/** A learning rate. */
export const rateText = (rate: number): string => rate.toExponential(1).replace(".0e", "e")
