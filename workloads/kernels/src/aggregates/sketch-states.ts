/** The sketch of each group, made when its first value comes. */
export class SketchStates<Sketch> {
  private readonly sketches: Array<Sketch | undefined> = []
  private readonly create: () => Sketch

  constructor(create: () => Sketch) {
    this.create = create
  }

  of(group: number): Sketch {
    let sketch = this.sketches[group]
    if (sketch === undefined) {
      sketch = this.create()
      this.sketches[group] = sketch
    }
    return sketch
  }

  /** A partial state of each group, in bytes; `empty` where no value came. */
  encode(groups: number, empty: Uint8Array, encode: (sketch: Sketch) => Uint8Array): Uint8Array[] {
    return Array.from({ length: groups }, (_, group) => {
      const sketch = this.sketches[group]
      return sketch === undefined ? empty : encode(sketch)
    })
  }
}
