"use strict";
const at = (id) => document.getElementById(id);
let known = {};

async function ask(path, given) {
  const options = given === undefined ? {} : {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(given),
  };
  // without the name and the password that the address may have in it
  const answer = await fetch(new URL(path, location.origin + location.pathname), options);
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

function say(text, wrong = false) {
  at("said").textContent = text;
  at("said").className = wrong ? "wrong" : "";
}

function cell(value, tag = "td") {
  const made = document.createElement(tag);
  const number = typeof value === "number";
  made.textContent = value === null ? "" : number && !Number.isInteger(value) ? value.toFixed(3) : value;
  if (number) made.className = "number";
  return made;
}

function fill(table, columns, rows) {
  const head = table.tHead.rows[0];
  head.replaceChildren(...columns.map((name, place) => {
    const made = cell(name, "th");
    if (typeof rows[0]?.[place] === "number") made.className = "number";
    return made;
  }));
  table.tBodies[0].replaceChildren(...rows.map((row) => {
    const line = document.createElement("tr");
    line.append(...row.map((value) => value instanceof Node ? value : cell(value)));
    return line;
  }));
}

function choose() {
  const one = known[at("recommender").value];
  at("weights").replaceChildren(...one.objectives.map(({ objective, default_weight: weight }) => {
    const label = document.createElement("label");
    const line = document.createElement("span");
    const shown = document.createElement("output");
    const slider = document.createElement("input");
    line.className = "weight";
    Object.assign(slider, { type: "range", min: -1, max: 1, step: 0.01, value: weight, name: objective });
    const show = () => { shown.textContent = Number(slider.value).toFixed(2); };
    slider.addEventListener("input", show);
    slider.addEventListener("change", list);
    show();
    line.append(objective, shown);
    label.append(line, slider);
    return label;
  }));
  fill(at("versions"), ["version", "in use", "made", "events", "users", "items", "nDCG"], one.versions.map(
    (v) => [v.id, v.in_use ? "yes" : "", v.created_at.slice(0, 16).replace("T", " "), v.events, v.users, v.items, v.ndcg],
  ));
  fill(at("stages"), ["stage", "rows", "seconds"], one.stages.map((s) => [s.stage, s.rows, s.seconds]));
  for (const id of ["list", "explanation", "statement"]) at(id).hidden = true;
  say("");
}

function asked() {
  const weights = {};
  for (const slider of at("weights").querySelectorAll("input")) weights[slider.name] = Number(slider.value);
  return {
    recommender: at("recommender").value, user: at("user").value.trim(), basket: at("basket").value.trim(),
    weights, filter: at("filter").value.trim(), k: Number(at("k").value),
  };
}

let latest = 0;
async function list() {
  const mine = ++latest;
  const given = asked();
  say("…");
  try {
    const found = await ask("api/list", given);
    if (mine !== latest) return; // another one was asked for since
    const objectives = Object.keys(found.rows[0]?.contributions ?? {});
    const columns = ["rank", "item", ...(found.named ? ["name"] : []), "score", ...objectives, ""];
    fill(at("list"), columns, found.rows.map((row) => {
      const why = document.createElement("button");
      Object.assign(why, { type: "button", className: "link", textContent: "why?" });
      why.setAttribute("aria-label", `why ${row.name ?? row.item_id}?`);
      why.addEventListener("click", () => explain(given, row));
      const last = document.createElement("td");
      if (given.user || !given.basket) last.append(why);
      return [row.rank, row.item_id, ...(found.named ? [row.name] : []), row.score, ...objectives.map((o) => row.contributions[o]), last];
    }));
    at("list").hidden = at("statement").hidden = false;
    at("explanation").hidden = true;
    at("statement").querySelector("code").textContent = found.sql;
    const personal = found.rows.some((row) => row.personal);
    say(`${found.rows.length} items, ${personal ? "personal" : "what everyone likes"}, in ${found.ms} ms`);
  } catch (error) {
    if (mine === latest) say(error.message, true);
  }
}

async function explain(given, row) {
  try {
    const found = await ask("api/explain", { ...given, item: row.item_id });
    at("explained").textContent = row.name ?? row.item_id;
    fill(at("explanation").querySelector("table"), ["kind", "what", "contribution"], found.rows.map((one) => [one.kind, one.name, one.contribution]));
    at("explanation").hidden = false;
    at("statement").querySelector("code").textContent = found.sql;
    at("explanation").scrollIntoView({ block: "nearest" });
  } catch (error) {
    say(error.message, true);
  }
}

async function figures() {
  const found = await ask("api/figures");
  at("figures").tBodies[0].replaceChildren(...found.map(([name, value]) => {
    const line = document.createElement("tr");
    line.append(cell(name, "th"), cell(value));
    return line;
  }));
}

at("ask").addEventListener("submit", (event) => { event.preventDefault(); list(); });
at("recommender").addEventListener("change", choose);
at("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(at("statement").querySelector("code").textContent);
  at("copy").textContent = "Copied";
  setTimeout(() => { at("copy").textContent = "Copy"; }, 1500);
});

ask("api/recommenders").then((found) => {
  at("database").textContent = found.database;
  known = Object.fromEntries(found.recommenders.map((one) => [one.name, one]));
  at("recommender").replaceChildren(...Object.keys(known).map((name) => new Option(name, name)));
  if (Object.keys(known).length) choose(); else say("there is no recommender yet", true);
  figures();
  setInterval(figures, 15000);
}).catch((error) => say(error.message, true));
