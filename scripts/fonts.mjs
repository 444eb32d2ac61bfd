// Make a font smaller: `node scripts/fonts.mjs SOURCE TARGET CHARACTERS LIGHTEST BOLDEST [plain]`. Keeps these
// characters and this range of weights; `plain` leaves out what stands in for characters, such as ligatures.
import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import subsetFont from "subset-font";

const [source, target, characters, lightest, boldest, plain] = argv.slice(2);
const made = await subsetFont(readFileSync(source), characters, {
    targetFormat: "woff2",
    variationAxes: { wght: { min: Number(lightest), max: Number(boldest) } },
    noLayoutClosure: plain === "plain",
});
writeFileSync(target, made);
