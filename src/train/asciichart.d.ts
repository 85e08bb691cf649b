/** The part of asciichart (https://github.com/kroitor/asciichart) that is used here; the package brings no types. */
declare module "asciichart" {
  interface PlotOptions {
    height?: number
    min?: number
    max?: number
    format?: (value: number) => string
  }
  export function plot(series: readonly number[] | readonly (readonly number[])[], options?: PlotOptions): string
}
