/** What is given back when it was retired and its last reader has released it. */
export abstract class KeptByReaders {
  private readers = 0
  private retired = false

  /** A reader begins: what it reads stays until it calls `release`. */
  retain(): void {
    this.readers += 1
  }
  release(): void {
    this.readers -= 1
    this.settle()
  }
  /** Nobody will begin to read it any more. */
  retire(): void {
    this.retired = true
    this.settle()
  }

  protected get isRead(): boolean {
    return this.readers > 0
  }

  /** Called once, when nobody reads it and nobody will. */
  protected abstract giveBack(): void

  private settle(): void {
    if (this.retired && this.readers === 0) this.giveBack()
  }
}
