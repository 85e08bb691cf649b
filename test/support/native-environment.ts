/**
 * @module The environment as native code sees it, which under Bun is not `process.env`: libc's own functions.
 */
import { CString, dlopen, type Pointer } from "bun:ffi"

const libc = dlopen(process.platform === "darwin" ? "libc.dylib" : "libc.so.6", {
  getenv: { args: ["ptr"], returns: "ptr" },
  setenv: { args: ["ptr", "ptr", "i32"], returns: "i32" },
  unsetenv: { args: ["ptr"], returns: "i32" },
}).symbols

const bytes = (text: string): Uint8Array => new TextEncoder().encode(`${text}\0`)

/** A variable's value, or null where it is not set. */
export function nativeVariable(name: string): string | null {
  const at = libc.getenv(bytes(name))
  return at === null ? null : new CString(Number(at) as Pointer).toString()
}

/** Sets a variable for native code and for `process.env`, or removes it from both. */
export function setVariable(name: string, value: string | null): void {
  if (value === null) {
    delete process.env[name]
    libc.unsetenv(bytes(name))
  } else {
    process.env[name] = value
    libc.setenv(bytes(name), bytes(value), 1)
  }
}
