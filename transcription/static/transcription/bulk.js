// The page of a bulk job: what it says is fetched anew until the job is over.

const EVERY_MS = 1500;

async function refresh() {
  const shown = document.getElementById("job");
  const answer = await fetch(location.href).catch(() => null); // the service may be restarting
  const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
  const news = page && page.getElementById("job");
  if (news && news.dataset.state !== shown.dataset.state) return location.reload();
  if (news) shown.replaceWith(news);
  setTimeout(refresh, EVERY_MS);
}

setTimeout(refresh, EVERY_MS);
