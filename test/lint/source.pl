# C source as the checks of this folder see it, and how each of them is run.
use strict;
use warnings FATAL => 'all';

use File::Basename;
use File::Find;

# The C files below these folders of the repository, however deep: path -> text.
sub sources
{
	my (@folders) = @_;
	my $root = dirname(__FILE__) . '/../..';
	my %files;

	for my $folder (@folders)
	{
		my $read = sub {
			return unless /\.(?:[ch]|cc|cpp|hh|hpp|inc|def)$/ && -f;
			open(my $file, '<', $_) or die "$_: $!\n";
			local $/ = undef;
			$files{ substr($_, length("$root/")) } = <$file>;
		};
		find({ wanted => $read, no_chdir => 1 }, "$root/$folder");
	}
	die "no sources found\n" unless %files;
	return \%files;
}

# The text with comments blanked, and strings too unless they are kept. Line
# numbers stay as they are.
sub code_of
{
	my ($text, %options) = @_;
	my $blank = sub { my ($piece) = @_; $piece =~ s/[^\n]/ /g; $piece };

	$text =~ s{
		(?<comment> /\*.*?\*/ | //[^\n]* )
		| (?<literal> "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
	}{
		defined $+{comment} ? $blank->($+{comment})
		: $options{keep_strings} ? $+{literal}
		: substr($+{literal}, 0, 1) . $blank->(substr($+{literal}, 1, -1))
		  . substr($+{literal}, -1)
	}gsex;
	return $text;
}

# Prints what check->(\%files) finds in these folders; or, with --self-test,
# sees that it finds what it should in each sample. A sample has files (path ->
# text) and finds: what matches its only message, or undef when it is clean.
# Exits.
sub run_check
{
	my ($check, $folders, $samples) = @_;
	my @problems;

	if (@ARGV && $ARGV[0] eq '--self-test')
	{
		for my $sample (@$samples)
		{
			my @found = $check->($sample->{files});
			my $finds = $sample->{finds};
			my $what = join(' ', map { "$_: $sample->{files}{$_}" }
				  sort keys %{ $sample->{files} });

			if (defined $finds)
			{
				push @problems, "not found ($finds): $what"
				  unless @found == 1 && $found[0] =~ /$finds/;
			}
			elsif (@found)
			{
				push @problems, "found though clean: $what: @found";
			}
		}
	}
	else
	{
		@problems = $check->(sources(@$folders));
	}
	print "$_\n" for @problems;
	exit(@problems ? 1 : 0);
}

1;
