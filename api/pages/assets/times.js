// Shows moments in the reader's own time zone. Without this script they are in UTC.

function showLocalTimes() {
  for (const element of document.querySelectorAll('time[datetime]')) {
    const time = new Date(element.dateTime);
    element.textContent = time.toLocaleString(document.documentElement.lang, {
      dateStyle: 'medium',
      timeStyle: 'short',
    });
  }
}

// A page that shows something new by itself says so.
document.addEventListener('news', showLocalTimes);
showLocalTimes();
