// The admin's lists: on a telephone each row is a card, whose cells have the names of their columns.

addEventListener("DOMContentLoaded", () => {
  document.getElementById("searchbar")?.setAttribute("aria-label", "Search"); // Django's label is a picture without a name
  const names = [...document.querySelectorAll("#result_list thead th")].map((head) => head.querySelector(".text")?.textContent.trim() ?? "");
  for (const row of document.querySelectorAll("#result_list tbody tr")) {
    [...row.cells].forEach((cell, at) => (cell.dataset.label = names[at]));
  }
});
