from datetime import date

from django.test import TestCase

from notes.models import Note


class NotesTest(TestCase):
    def test_index_lists_notes(self):
        Note.objects.create(title="Call Grace", due=date(2030, 1, 2))
        self.assertContains(self.client.get("/"), "Call Grace")
