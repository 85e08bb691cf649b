/**
 * @module The corpus's small vocabulary, and its fixed world of true facts.
 */
const list = (words: string): string[] => words.trim().split(/\s+/)

export const items = list(
  "apples pears plums lemons books maps cups plates lamps chairs pens coins ropes boats hats shoes coats rings bells stones seeds eggs fish nuts keys boxes bags drums kites candles",
)
export const jobs = list(
  "baker farmer teacher doctor sailor painter singer tailor miller hunter writer cook smith weaver guard judge pilot nurse clerk potter",
)
export const places = list(
  "market garden harbour school forest bridge station library kitchen field mill inn tower square shop",
)
export const animalNames = list("dog cat cow sheep horse duck pig lion bird frog bee snake owl mouse wolf")
export const colourNames = list("red blue green yellow white black brown orange purple grey")
export const adjectives = list(
  "old small quiet bright heavy warm cold clean broken new soft strong tall short kind brave tired happy slow quick",
)
export const verbs = list(
  "opened closed painted cleaned carried found lost sold bought kept moved fixed washed hid showed",
)
export const things = list(
  "door box boat cart table letter basket wheel window cup lamp chair book coat hat map drum bell rope kite",
)
export const foods = list("bread soup rice cheese cake honey fish beans milk tea salad pie corn jam stew")
export const months = list("January February March April May June July August September October November December")
export const days = list("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")

/** Questions that have one true answer in this world. */
export const facts: readonly (readonly [topic: string, subject: string, answer: string])[] = [
  ...Object.entries({
    sky: "blue",
    grass: "green",
    snow: "white",
    coal: "black",
    blood: "red",
    sun: "yellow",
    mud: "brown",
    carrot: "orange",
    ash: "grey",
    plum: "purple",
  }).map(([a, b]) => ["colour", a, b] as const),
  ...Object.entries({
    hot: "cold",
    big: "small",
    day: "night",
    up: "down",
    fast: "slow",
    open: "closed",
    happy: "sad",
    old: "new",
    wet: "dry",
    full: "empty",
    light: "dark",
    hard: "soft",
    rich: "poor",
    early: "late",
    long: "short",
    high: "low",
  }).map(([a, b]) => ["opposite", a, b] as const),
  ...Object.entries({
    dog: "barks",
    cat: "meows",
    cow: "moos",
    sheep: "bleats",
    horse: "neighs",
    duck: "quacks",
    pig: "grunts",
    lion: "roars",
    bird: "sings",
    frog: "croaks",
    bee: "buzzes",
    snake: "hisses",
    owl: "hoots",
    wolf: "howls",
  }).map(([a, b]) => ["sound", a, b] as const),
  ...months.map((month, i) => ["month after", month, months[(i + 1) % 12]!] as const),
  ...days.map((day, i) => ["day after", day, days[(i + 1) % 7]!] as const),
]
