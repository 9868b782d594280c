from datetime import date, timedelta

from django.core.management.base import BaseCommand

from notes.models import Note


class Command(BaseCommand):
    help = "List the notes that were due before 1 March 2020, or some days later."

    def add_arguments(self, parser):
        parser.add_argument("--days", type=int, default=0)

    def handle(self, *args, days, **options):
        for note in Note.objects.filter(due__lt=date(2020, 3, 1) + timedelta(days=days)):
            self.stdout.write(self.style.WARNING(f"{note.due}: {note}"))
