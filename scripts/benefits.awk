# Made-up benefits as CSV, school meals of 2025, one in each row: awk -v rows=1000 -f scripts/benefits.awk
#
# The same number of rows gives the same bytes. The fiscal codes are well formed and belong to nobody: 2016 children
# of one invented family, all born in the same town. Every row is right: nothing is refused, and nothing is warned of.

# The sixteenth character for the first fifteen.
function check_character(code,    sum, place, rank) {
    sum = 0
    for (place = 1; place <= 15; place++) {
        rank = index("0123456789", substr(code, place, 1)) - 1
        if (rank < 0) rank = index(letters, substr(code, place, 1)) - 1
        sum += place % 2 ? odd[rank + 1] : rank
    }
    return substr(letters, sum % 26 + 1, 1)
}

BEGIN {
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    split("1 0 5 7 9 13 15 17 19 21 2 4 18 20 11 3 6 8 12 14 16 10 22 25 24 23", odd, " ")
    for (child = 0; child < 2016; child++) {
        year = 2014 + child % 6
        month = int(child / 6) % 12
        day = int(child / 72) % 28 + 1
        code = sprintf("CNTLCU%02d%s%02dH501", year % 100, substr("ABCDEHLMPRST", month + 1, 1), day)
        person[child] = code check_character(code) ";Conti;Luca;" year ";H501;1;380;08;058091;380"
    }
    print "CodiceFiscale;Cognome;Nome;AnnoNascita;LuogoNascita;Genere;CodiceCittadinanza;CodiceRegione;CodiceComune;" \
        "CodiceNazione;PresenzaProvaMezzi;CaratterePrestazione;NumeroProtocolloDSU;AnnoProtocolloDSU;DataDSU;" \
        "CodicePrestazione;DenominazionePrestazione;ProtocolloDomanda;DataEvento;DataInizioPrestazione;" \
        "DataFinePrestazione;PeriodoErogazione;ImportoMensile;ImportoQuotaEnte;ImportoQuotaUtente;" \
        "ImportoQuotaRichiesta;ImportoSogliaISEE;PresaCarico"
    for (row = 1; row <= rows; row++) {
        cents = 3000 + row * 7 % 6000
        printf "%s;1;1;INPS-ISEE-2025-%08dA-00;2025;%02d/01/2025;A2.12;Mensa scolastica;2025/%07d;28/08/2025;" \
            "15/09/2025;31/12/2025;4;%d,%02d;%d,%02d;20,00;%d,%02d;%d,00;2\n",
            person[row % 2016], row, row % 20 + 10, row, cents / 100, cents % 100, (cents - 2000) / 100, \
            cents % 100, cents / 100, cents % 100, 3000 + row % 6000
    }
}
