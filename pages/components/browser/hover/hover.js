const PAUSE_MS = 60 // a pointer that crosses many points asks only for the one where it rests
const GAP = 14 // pixels between the pointer and the picture
const KEPT = 300 // pictures

const hovers = new WeakMap()

export default function ({ data, parentElement, setStateValue }) {
  let hover = hovers.get(parentElement)
  if (!hover) hovers.set(parentElement, (hover = new Hover(parentElement.querySelector(".hover"))))
  hover.ask = (point) => setStateValue("point", point)
  hover.update(data)
  return () => {
    hover.leave()
    hovers.delete(parentElement)
  }
}

class Hover {
  constructor(root) {
    this.root = root
    this.pictures = new Map() // point -> { url, caption }
    this.move = (event) => this.pointed(event)
    document.addEventListener("pointermove", this.move, { passive: true })
  }

  update(message) {
    if (message === this.message) return
    this.message = message
    const { header, pictures } = unpack(message)
    this.chart = header.chart
    if (!header.point || !pictures[0].length) return
    if (!this.pictures.has(header.point)) {
      const url = URL.createObjectURL(new Blob([pictures[0]]))
      this.pictures.set(header.point, { url, caption: header.caption })
      if (this.pictures.size > KEPT) this.forget(this.pictures.keys().next().value)
    }
    if (this.point === header.point) this.show()
  }

  /** Streamlit may draw the chart anew at any time, so it is looked for whenever the pointer moves. */
  pointed(event) {
    this.at = [event.clientX, event.clientY]
    const plot = document.querySelector(`.st-key-${this.chart} .js-plotly-plot`)
    if (plot && plot !== this.plot && plot.on) {
      this.plot = plot
      plot.on("plotly_hover", ({ points }) => this.over(points[0]?.text))
      plot.on("plotly_unhover", () => this.over(null))
    }
    if (!plot || !event.composedPath().includes(plot)) this.over(null)
    else if (!this.root.hidden) this.place()
  }

  over(point) {
    if (point === this.point) return
    this.point = point
    clearTimeout(this.timer)
    if (!point) this.root.hidden = true
    else if (this.pictures.has(point)) this.show()
    else {
      this.root.hidden = true
      this.timer = setTimeout(() => this.ask(point), PAUSE_MS)
    }
  }

  show() {
    const { url, caption } = this.pictures.get(this.point)
    const [image, text] = this.root.children
    image.src = url
    image.alt = this.point
    text.textContent = caption
    this.root.hidden = false
    this.place()
  }

  /** Above the pointer where there is room, else below it; the chart's own label is beside it. */
  place() {
    const [x, y] = this.at
    const { width, height } = this.root.getBoundingClientRect()
    const left = Math.min(Math.max(0, x - width / 2), innerWidth - width)
    this.root.style.left = `${left}px`
    this.root.style.top = `${y - height - GAP >= 0 ? y - height - GAP : y + GAP}px`
  }

  forget(point) {
    URL.revokeObjectURL(this.pictures.get(point).url)
    this.pictures.delete(point)
  }

  leave() {
    clearTimeout(this.timer)
    document.removeEventListener("pointermove", this.move)
    for (const point of [...this.pictures.keys()]) this.forget(point)
  }
}
