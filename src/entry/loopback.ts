/**
 * @module This machine's own addresses.
 */

/** Whether an address, as text and without brackets, is a loopback one. */
export const isLoopback = (address: string): boolean => address === "::1" || /^127(\.\d{1,3}){3}$/.test(address)
