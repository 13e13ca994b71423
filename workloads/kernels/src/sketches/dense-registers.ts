import { HYPERLOGLOG_DENSE_BYTES, HYPERLOGLOG_REGISTERS } from '@truenow/contracts/wire/hyperloglog-v1.ts'

/** The dense form of hyperloglog-v1, 6 bits a register, from a byte a register, and back. Cost: O(registers). */
export const denseRegisters = {
  pack: (registers: Uint8Array): Uint8Array => {
    const packed = new Uint8Array(HYPERLOGLOG_DENSE_BYTES)
    for (let index = 0, at = 0; index < HYPERLOGLOG_REGISTERS; index += 4, at += 3) {
      const word =
        registers[index]! |
        (registers[index + 1]! << 6) |
        (registers[index + 2]! << 12) |
        (registers[index + 3]! << 18)
      packed[at] = word
      packed[at + 1] = word >>> 8
      packed[at + 2] = word >>> 16
    }
    return packed
  },
  unpack: (packed: Uint8Array): Uint8Array => {
    const registers = new Uint8Array(HYPERLOGLOG_REGISTERS)
    for (let index = 0, at = 0; index < HYPERLOGLOG_REGISTERS; index += 4, at += 3) {
      const word = packed[at]! | (packed[at + 1]! << 8) | (packed[at + 2]! << 16)
      for (let of = 0; of < 4; of++) registers[index + of] = (word >>> (6 * of)) & 63
    }
    return registers
  },
}
