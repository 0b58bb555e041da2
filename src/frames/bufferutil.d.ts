declare module 'bufferutil' {
  const bufferutil: {
    /** XORs a buffer, where it lies, with a key of four bytes that repeats. */
    unmask(buffer: Buffer, key: Buffer): void
  }
  export default bufferutil
}
