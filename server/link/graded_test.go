package link_test

import (
	"math"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/link"
)

func TestGradedAlpha(t *testing.T) {
	vpn := func(share float64) link.Grade { return link.Grade{Class: link.ClassVPN, Share: share} }
	for name, test := range map[string]struct {
		class  string
		grades []link.Grade
		factor float64
		want   float64
	}{
		"nothing":                      {link.ClassHosting, nil, 0, 0},
		"a factor of one":              {link.ClassHosting, nil, 1, 0},
		"a /10":                        {link.ClassCloudVM, []link.Grade{vpn(0)}, 0, 0},
		"the /20 of the worked case":   {link.ClassHosting, []link.Grade{vpn(.25)}, 0, math.Pow(.5, .75) * math.Pow(30, .25)},
		"a /24":                        {link.ClassUnknown, []link.Grade{vpn(.5)}, 0, math.Sqrt(1.5 * 30)},
		"the address":                  {link.ClassHosting, []link.Grade{vpn(1)}, 0, 30},
		"beyond the address":           {link.ClassHosting, []link.Grade{vpn(7)}, 0, 30},
		"less than nothing":            {link.ClassHosting, []link.Grade{vpn(-1)}, 0, 0},
		"not a number":                 {link.ClassHosting, []link.Grade{vpn(math.NaN())}, 0, 0},
		"the largest of several":       {link.ClassHosting, []link.Grade{vpn(.25), {Class: link.ClassTor, Share: .25}, vpn(.125)}, 0, math.Pow(.5, .75) * math.Pow(200, .25)},
		"many reporters":               {link.ClassLeased, nil, 2, 2},
		"a list and many reporters":    {link.ClassHosting, []link.Grade{vpn(.25)}, 2, 2 * math.Pow(.5, .75) * math.Pow(30, .25)},
		"a list of services":           {link.ClassHosting, []link.Grade{{Class: link.ClassM365Service, Share: .5}}, 0, 0},
		"a list nobody knows":          {link.ClassHosting, []link.Grade{{Class: "other", Share: .5}}, 0, 0},
		"a service":                    {link.ClassM365Service, []link.Grade{vpn(1)}, 2, 0},
		"a class nobody knows":         {"other", nil, 2, 3},
		"a list that lowers the alpha": {link.ClassUnknown, []link.Grade{{Class: link.ClassHosting, Share: .5}}, 0, math.Sqrt(1.5 * .5)},
	} {
		got := link.Version1().GradedAlpha(test.class, test.grades, test.factor)
		if math.Abs(got-test.want) > .001*test.want {
			t.Errorf("%s: alpha %v, want %v", name, got, test.want)
		}
	}
}
