from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('transcription', '0008_webhooks'),
    ]

    operations = [
        migrations.AddField(
            model_name='segment',
            name='channel',
            field=models.PositiveSmallIntegerField(help_text='Of several, counted from 0', null=True),
        ),
        migrations.AddField(
            model_name='segment',
            name='language',
            field=models.CharField(help_text='What the text is in, where it was found out', max_length=8, null=True),
        ),
    ]
