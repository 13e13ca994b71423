export type Series = Readonly<{
  name: string
  points: ReadonlyArray<readonly [x: number, y: number]>
  dashed?: boolean
}>
export type Plot = Readonly<{ title: string; x: string; y: string; series: readonly Series[] }>

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [760, 420, 70, 190, 40, 50]
const COLORS = ['#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#ff7f0e', '#8c564b', '#7f7f7f', '#17becf']

/** Lines over a logarithmic x axis and a linear y axis, as SVG text. */
export function plotSvg({ title, x, y, series }: Plot): string {
  const all = series.flatMap(({ points }) => points)
  const [xs, ys] = [all.map(([at]) => Math.log10(at)), all.map(([, at]) => at)]
  const [xMin, xMax] = [Math.min(...xs), Math.max(...xs)]
  const [yMin, yMax] = [Math.min(0, ...ys), Math.max(...ys) * 1.1]
  const right = (value: number) =>
    LEFT + ((Math.log10(value) - xMin) / (xMax - xMin || 1)) * (WIDTH - LEFT - RIGHT)
  const up = (value: number) =>
    HEIGHT - BOTTOM - ((value - yMin) / (yMax - yMin || 1)) * (HEIGHT - TOP - BOTTOM)
  const round = (value: number) => value.toFixed(1)
  const text = (atX: number, atY: number, anchor: string, what: string) =>
    `<text x="${round(atX)}" y="${round(atY)}" text-anchor="${anchor}">${what.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`
  const line = (x1: number, y1: number, x2: number, y2: number) =>
    `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="#ccc"/>`
  const parts = [
    text(LEFT, 22, 'start', title),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, 'middle', x),
    text(8, TOP - 6, 'start', y),
  ]
  for (let tick = 0; tick <= 5; tick++) {
    const value = yMin + ((yMax - yMin) * tick) / 5
    parts.push(
      line(LEFT, up(value), WIDTH - RIGHT, up(value)),
      text(LEFT - 6, up(value) + 4, 'end', String(Number(value.toPrecision(3)))),
    )
  }
  for (let power = Math.ceil(xMin); power <= Math.floor(xMax); power++)
    parts.push(
      line(right(10 ** power), TOP, right(10 ** power), HEIGHT - BOTTOM),
      text(right(10 ** power), HEIGHT - BOTTOM + 18, 'middle', `10^${power}`),
    )
  for (const [index, { name, points, dashed }] of series.entries()) {
    const color = COLORS[index % COLORS.length]
    const path = points.map(([atX, atY]) => `${round(right(atX))},${round(up(atY))}`).join(' ')
    const dash = dashed === true ? ' stroke-dasharray="6 4"' : ''
    parts.push(`<polyline points="${path}" fill="none" stroke="${color}" stroke-width="1.8"${dash}/>`)
    const legend = TOP + 10 + index * 20
    parts.push(
      `<line x1="${WIDTH - RIGHT + 12}" y1="${legend}" x2="${WIDTH - RIGHT + 36}" y2="${legend}" stroke="${color}" stroke-width="2"${dash}/>`,
    )
    parts.push(text(WIDTH - RIGHT + 42, legend + 4, 'start', name))
  }
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`
  return `${head}\n<rect width="100%" height="100%" fill="white"/>\n${parts.join('\n')}\n</svg>\n`
}
