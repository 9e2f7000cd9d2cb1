// The list of the ops, until there is more.

const walk = JSON.parse(document.getElementById("walk").textContent);
const list = document.createElement("ol");
list.reversed = true;
for (const op of [...walk.ops].reverse()) {
  const item = document.createElement("li");
  item.id = op.id;
  item.textContent = `${op.id}: ${op.verdict}`;
  list.append(item);
}
document.getElementById("page").append(list);
