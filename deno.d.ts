/** What Deno's type check needs beyond its own types: the one global of Bun that src/entry names. */
declare const Bun: {
  serve(options: {
    hostname: string
    port: number
    fetch(request: Request): Response | Promise<Response>
    idleTimeout?: number
    error?(error: unknown): Response
  }): { readonly port?: number; stop(closeActiveConnections?: boolean): Promise<void> }
}
