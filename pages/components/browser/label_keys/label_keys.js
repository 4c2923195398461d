/** Labels given by key, by the key of the component; `pending` are those that Python has not confirmed. */
const givenLabels = new Map()

/**
 * Give a class to images and return the label. All labels that Python has not confirmed are sent each time, so that
 * none is lost if the next key is pressed while the page is updated. Labels of an earlier session of the server are not
 * sent again: it may have saved them.
 */
function giveLabel({ key, session, confirmed }, label, ids, setState) {
  let given = givenLabels.get(key)
  if (given?.session !== session) givenLabels.set(key, (given = { session, count: 0, pending: [] }))
  given.count = Math.max(given.count, confirmed) + 1
  const one = { number: given.count, session, label, ids }
  given.pending = [...given.pending.filter((each) => each.number > confirmed), one]
  setState("labels", given.pending)
  return one
}

/** Return whether Python has saved or refused a label. */
function isAnswered({ session, confirmed }, label) {
  return label.session !== session || label.number <= confirmed
}

/** Return the pressed key if it stands for a class and is pressed without a modifier. */
function labelKey(event, classes) {
  const pressed = event.key.toLowerCase()
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey
  return plain && Object.hasOwn(classes, pressed) ? pressed : undefined
}
