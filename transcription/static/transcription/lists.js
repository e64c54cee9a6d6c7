// The admin's lists: on a telephone each row is a card, whose cells have the names of their columns.

addEventListener("DOMContentLoaded", () => {
  const search = document.getElementById("searchbar"); // whose label in Django is a picture without a name; its button has one
  search?.setAttribute("aria-label", search.form.querySelector("[type=submit]").value);
  const names = [...document.querySelectorAll("#result_list thead th")].map((head) => head.querySelector(".text")?.textContent.trim() ?? "");
  for (const row of document.querySelectorAll("#result_list tbody tr")) {
    [...row.cells].forEach((cell, at) => (cell.dataset.label = names[at]));
  }
});
