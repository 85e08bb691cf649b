/**
 * @module The corpus's small vocabulary, and its fixed world of true facts.
 */
const list = (words: string): string[] => words.trim().split(/\s+/)

/** Things that are counted. */
export const items = list(
  `apples pears plums lemons books maps cups plates lamps chairs pens coins ropes boats hats shoes coats rings bells stones
  seeds eggs fish nuts keys boxes bags drums kites candles bricks brushes buttons clocks flags flutes forks gloves hammers
  jars knives ladders mirrors nails pans pots shirts spoons stamps tables tickets tools towels toys wheels`,
)
export const jobs = list(
  `baker farmer teacher doctor sailor painter singer tailor miller hunter writer cook smith weaver guard judge pilot nurse
  clerk potter driver dancer banker barber builder butcher carpenter cleaner diver engineer fisher gardener jeweller
  lawyer mason merchant printer shepherd soldier waiter`,
)
export const places = list(
  `market garden harbour school forest bridge station library kitchen field mill inn tower square shop beach castle cave
  church factory farm gate hill hospital lake museum office palace park pond stable theatre valley well zoo`,
)
export const animalNames = list(
  "dog cat cow sheep horse duck pig lion bird frog bee snake owl mouse wolf bear fox goat hen deer rabbit camel",
)
export const colourNames = list("red blue green yellow white black brown orange purple grey pink golden silver")
export const adjectives = list(
  `old small quiet bright heavy warm cold clean broken new soft strong tall short kind brave tired happy slow quick round
  flat thin thick dark calm wild proud plain sharp`,
)
export const verbs = list(
  "opened closed painted cleaned carried found lost sold bought kept moved fixed washed hid showed pushed pulled lifted dropped wanted",
)
export const things = list(
  `door box boat cart table letter basket wheel window cup lamp chair book coat hat map drum bell rope kite bucket clock
  flag flute glove hammer jar knife ladder mirror pan pot ring shirt spoon stamp ticket tool towel toy menu diary staff`,
)
export const foods = list(
  `bread soup rice cheese cake honey fish beans milk tea salad pie corn jam stew butter cream meat pasta pepper pudding
  sauce sugar toast water wine`,
)
/** Words that hold sentences together. */
export const smallWords = list(
  `the a of in is has to for with and by at on from was it that this not they we you near are there all new every now
  next who what said called some more my its`,
)
export const months = list("January February March April May June July August September October November December")
export const days = list("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
export const good = list("good great lovely fine wonderful tasty nice perfect pleasant excellent")
export const bad = list("bad awful terrible boring dirty ugly rude poor horrible nasty")

const pairs = (text: string): [string, string][] =>
  list(text).map((pair) => {
    const [a, b] = pair.split(":")
    return [a!, b!]
  })

/** Questions that have one true answer in this world. */
export const facts: readonly (readonly [topic: string, subject: string, answer: string])[] = [
  ...pairs(
    "sky:blue grass:green snow:white coal:black blood:red sun:yellow mud:brown carrot:orange ash:grey plum:purple milk:white night:black gold:golden rose:pink",
  ).map(([a, b]) => ["colour", a, b] as const),
  ...pairs(
    `hot:cold big:small day:night up:down fast:slow open:closed happy:sad old:new wet:dry full:empty light:dark hard:soft
    rich:poor early:late long:short high:low good:bad thick:thin loud:quiet strong:weak clean:dirty near:far left:right
    first:last`,
  ).map(([a, b]) => ["opposite", a, b] as const),
  ...pairs(
    `dog:barks cat:meows cow:moos sheep:bleats horse:neighs duck:quacks pig:grunts lion:roars bird:sings frog:croaks
    bee:buzzes snake:hisses owl:hoots wolf:howls mouse:squeaks`,
  ).map(([a, b]) => ["sound", a, b] as const),
  ...months.map((month, i) => ["month after", month, months[(i + 1) % 12]!] as const),
  ...days.map((day, i) => ["day after", day, days[(i + 1) % 7]!] as const),
]
