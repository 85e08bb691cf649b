/**
 * @module The part about documents: kills while they are added, and collections side by side.
 */
import { collectionsApart, killedAdds } from "./documents.ts"
import { type Part, scaled } from "./part.ts"

const DOCUMENTS = 1000

export const documents: Part = {
  name: "documents",
  summary: "1,000 documents added under 20 kills, and 10,000 searches of two collections",
  async run(settings) {
    const { base, seed } = settings
    const killed = await killedAdds({ kills: scaled(20, settings), documents: DOCUMENTS, base, seed })
    const apart = await collectionsApart({ queries: scaled(10_000, settings), base, seed })
    return {
      figures: { killed, apart },
      lines: [
        "| what | tried | wrong |",
        "|---|---|---|",
        `| documents acknowledged before one of ${killed.kills} kills -9 | ${killed.acknowledged} | ${killed.lost} |`,
        `| documents of 1,000 that were there after it, old or new and whole | ${DOCUMENTS * killed.kills} | ${killed.half} |`,
        `| searches of one of two collections | ${apart.queries} | ${apart.crossed} |`,
      ],
      wrong: killed.lost + killed.half + apart.crossed,
    }
  },
}
