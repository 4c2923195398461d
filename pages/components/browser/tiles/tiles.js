const SEND_AFTER_MS = 150 // several clicks in a row cause one rerun
const OPEN_ICON = "M14 4h6v6M20 4l-7 7M10 20H4v-6M4 20l7-7"
const CHECK_ICON = "M5 12.5l4.5 4.5L19 7.5"
const WARNING_ICON = "M12 4L2.5 20h19L12 4zM12 10v4.5M12 17.4v.1"
const BROKEN_ICON = "M4 5h16v14H4zM4 16l4-4 3 3 3-4 6 6M5 4l15 16"

/** Selections by the key of the grid; they outlive its elements, which a page may remove for a while. */
const selections = new Map()
const grids = new WeakMap()

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  let grid = grids.get(parentElement)
  if (!grid) grids.set(parentElement, (grid = new Grid(parentElement.querySelector(".tiles"))))
  grid.setState = setStateValue
  grid.setTrigger = setTriggerValue
  grid.update(data)
  return () => {
    grid.destroy()
    grids.delete(parentElement)
  }
}

class Grid {
  constructor(root) {
    this.tiles = new Map() // { item, element, picture, url } by id, in the order shown
    this.list = make("div", { class: "list", role: "listbox", "aria-multiselectable": "true" })
    this.empty = make("p", { class: "empty" })
    this.tooltip = make("div", { class: "tooltip", role: "tooltip" })
    this.tooltip.hidden = true
    root.replaceChildren(this.list, this.empty, this.tooltip)
    this.list.onclick = (event) => this.click(event)
    this.list.ondblclick = (event) => this.idAt(event) && this.open(this.idAt(event))
    this.list.onkeydown = (event) => this.key(event)
    this.list.onpointerover = (event) => this.showTooltip(event.target.closest(".warning")?.closest(".tile"))
    this.list.onpointerleave = () => {
      this.showTooltip(null)
      this.sendSelection() // the user may be about to press a button that uses it
    }
    this.list.addEventListener("focusin", (event) => this.focused(event.target.closest(".tile")))
    this.list.addEventListener("focusout", () => {
      this.showTooltip(null)
      this.sendSelection()
    })
  }

  /* --- messages from Python */

  update(message) {
    if (message === this.message) return // only the theme or a callback has changed
    const isNew = !this.message
    this.message = message
    const { header, pictures } = unpack(message)
    this.list.style.setProperty("--size", `${header.size}px`)
    this.list.style.setProperty("--ratio", header.ratio)
    this.list.setAttribute("aria-label", header.label)
    this.empty.textContent = header.empty
    this.list.hidden = header.items.length === 0
    this.empty.hidden = !this.list.hidden
    this.labels = header.labels
    this.takeSelection(header)
    this.updateTiles(header.items, pictures)
    if (isNew) this.focusOpened()
    this.show()
  }

  /** Return the focus to the tile whose large view was open. */
  focusOpened() {
    const { opened } = this.selection
    this.selection.opened = undefined
    if (!this.tiles.has(opened)) return
    this.current = opened
    if (document.activeElement === document.body) this.tiles.get(opened).element.focus()
  }

  /** Use Python's selection if its version is new, else keep the user's. */
  takeSelection({ key, version, selected }) {
    const known = selections.get(key)
    if (known?.version !== version) {
      clearTimeout(this.timer)
      selections.set(key, { version, ids: new Set(selected), sent: selected.join("\n"), opened: known?.opened })
    }
    this.selection = selections.get(key)
  }

  /** Reuse the elements of unchanged tiles, update or create the others, and remove the rest. */
  updateTiles(items, pictures) {
    const before = this.tiles
    const hadFocus = this.list.contains(this.list.getRootNode().activeElement)
    const staying = new Set(items.map((item) => item.id))
    for (const [id, tile] of before) staying.has(id) || discard(tile)
    this.tiles = new Map()
    items.forEach((item, index) => {
      const tile = before.get(item.id) ?? { element: make("div", { class: "tile", role: "option", tabindex: "-1" }) }
      // a label is shown before Python has it: draw the tile again when Python has saved or refused it
      const answered = tile.label && isAnswered(this.labels, tile.label)
      if (answered) tile.label = undefined
      if (answered || JSON.stringify(tile.item) !== JSON.stringify(item)) draw(tile, item, pictures[index])
      tile.element.dataset.id = item.id
      this.tiles.set(item.id, tile)
      const present = this.list.children[index] ?? null
      if (present !== tile.element) this.list.insertBefore(tile.element, present)
    })
    if (!this.tiles.has(this.current)) {
      this.current = items[0]?.id
      if (hadFocus) this.tiles.get(this.current)?.element.focus()
    }
    if (!this.tiles.has(this.anchor)) this.anchor = undefined
  }

  show() {
    for (const [id, { element }] of this.tiles) {
      element.setAttribute("aria-selected", this.selection.ids.has(id))
      element.tabIndex = id === this.current ? 0 : -1
    }
  }

  /* --- user input */

  idAt(event) {
    return event.target.closest(".tile")?.dataset.id
  }

  click(event) {
    const id = this.idAt(event)
    if (id === undefined) return
    if (event.target.closest(".open")) return void (event.detail < 2 && this.open(id))
    this.current = id
    if (event.shiftKey) this.selectRange(id)
    else this.toggle(id)
  }

  key(event) {
    const id = this.idAt(event)
    if (id === undefined || event.altKey) return
    const command = event.ctrlKey || event.metaKey
    const ids = [...this.tiles.keys()]
    const index = ids.indexOf(id)
    const columns = getComputedStyle(this.list).gridTemplateColumns.split(" ").length
    const last = ids.length - 1
    const hasRowBelow = index - (index % columns) + columns <= last
    const target = {
      ArrowLeft: index - 1,
      ArrowRight: index + 1,
      ArrowUp: index - columns,
      ArrowDown: hasRowBelow ? Math.min(index + columns, last) : index,
      Home: 0,
      End: last,
    }[event.key]
    if (target !== undefined) {
      const next = ids[target]
      if (next !== undefined) {
        if (event.shiftKey) this.anchor ??= id
        this.tiles.get(next).element.focus()
        if (event.shiftKey) this.selectRange(next)
      }
    } else if (event.key === " ") event.shiftKey ? this.selectRange(id) : this.toggle(id)
    else if (event.key === "Enter") this.open(id)
    else if (event.key.toLowerCase() === "a" && command)
      this.change((selected) => ids.forEach((each) => selected.add(each)))
    else if (event.key === "Escape" && this.selection.ids.size) this.change((selected) => selected.clear())
    else if (labelKey(event, this.labels.classes)) this.label(labelKey(event, this.labels.classes), id)
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  /** Give a class to the selected tiles, or to the one with the focus, which then moves to the next one. */
  label(pressed, focusedId) {
    const selected = [...this.selection.ids]
    const ids = selected.length ? selected : [focusedId]
    const order = [...this.tiles.keys()]
    if (selected.length) this.change((all) => all.clear())
    else this.tiles.get(order[order.indexOf(focusedId) + 1])?.element.focus()
    const label = giveLabel(this.labels, this.labels.classes[pressed], ids, this.setState)
    for (const tile of ids.map((id) => this.tiles.get(id)).filter(Boolean)) {
      tile.label = label
      tile.element.querySelector(".title").textContent = label.label
    }
  }

  focused(element) {
    if (!element) return
    this.current = element.dataset.id
    this.show()
    if (element.matches(":focus-visible")) this.showTooltip(element)
  }

  toggle(id) {
    this.anchor = id
    this.change((selected) => selected.delete(id) || selected.add(id))
  }

  /** Select all tiles from the one that was last clicked without Shift to this one. */
  selectRange(id) {
    const ids = [...this.tiles.keys()]
    const ends = [ids.indexOf(this.anchor ?? id), ids.indexOf(id)]
    const between = ids.slice(Math.min(...ends), Math.max(...ends) + 1)
    this.change((selected) => between.forEach((each) => selected.add(each)))
  }

  change(edit) {
    edit(this.selection.ids)
    this.show()
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.sendSelection(), SEND_AFTER_MS)
  }

  /** Send the selection to Python if it has changed. */
  sendSelection() {
    clearTimeout(this.timer)
    if (!this.selection) return
    const ids = [...this.selection.ids]
    if (ids.join("\n") === this.selection.sent) return
    this.selection.sent = ids.join("\n")
    this.setState("selected", { version: this.selection.version, ids })
  }

  open(id) {
    this.sendSelection()
    this.selection.opened = id
    this.tiles.get(id).element.blur() // the large view takes the focus
    this.setTrigger("opened", id)
  }

  /** Show the warning of a tile above its icon and within the grid; without a warning, hide the tooltip. */
  showTooltip(element) {
    const text = element && this.tiles.get(element.dataset.id)?.item.warning
    this.tooltip.hidden = !text
    if (!text) return
    this.tooltip.textContent = text
    const icon = element.querySelector(".warning").getBoundingClientRect()
    const bounds = this.tooltip.parentElement.getBoundingClientRect()
    const left = icon.left + icon.width / 2 - bounds.left - this.tooltip.offsetWidth / 2
    this.tooltip.style.left = `${Math.max(0, Math.min(left, bounds.width - this.tooltip.offsetWidth))}px`
    this.tooltip.style.top = `${icon.top - bounds.top - this.tooltip.offsetHeight - 6}px`
  }

  destroy() {
    clearTimeout(this.timer)
    for (const tile of this.tiles.values()) discard(tile)
  }
}

/** Draw the contents of a tile; an unchanged picture is kept. */
function draw(tile, item, picture) {
  if (tile.item?.digest !== item.digest || !tile.picture) {
    if (tile.url) URL.revokeObjectURL(tile.url)
    const type = picture[0] === 0x89 ? "image/png" : "image/jpeg"
    tile.url = item.digest && URL.createObjectURL(new Blob([picture], { type }))
    tile.picture = item.digest
      ? make("img", { src: tile.url, alt: "", loading: "lazy", decoding: "async", draggable: "false" })
      : make("span", { class: "broken" }, makeIcon(BROKEN_ICON))
  }
  tile.item = item
  const title = "Open large view (Enter)"
  const open = make("span", { class: "open", title, "aria-hidden": "true" }, makeIcon(OPEN_ICON))
  const check = make("span", { class: "check", "aria-hidden": "true" }, makeIcon(CHECK_ICON))
  const frame = make("span", { class: "frame" }, tile.picture, check, open)
  if (item.warning) frame.append(make("span", { class: "warning" }, makeIcon(WARNING_ICON)))
  const line = make("span", { class: "line" }, make("span", { class: "title", title: item.title }, item.title))
  if (item.badge) line.append(make("span", { class: "badge" }, item.badge))
  tile.element.replaceChildren(frame, line)
  if (item.subtitle) tile.element.append(make("span", { class: "subtitle", title: item.subtitle }, item.subtitle))
  tile.element.classList.toggle("excluded", item.excluded)
  const facts = [item.title, item.subtitle, item.badge, item.excluded && "excluded", item.warning]
  tile.element.setAttribute("aria-label", facts.filter(Boolean).join(", "))
}

function discard(tile) {
  if (tile.url) URL.revokeObjectURL(tile.url)
  tile.element.remove()
}
